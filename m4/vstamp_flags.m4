# SPDX-License-Identifier: BSD-2-Clause
# VSTAMP_COMPILE_FLAG(VARIABLE, flag): append the flag if the compiler takes it without complaint.
AC_DEFUN([VSTAMP_COMPILE_FLAG],
[AS_VAR_PUSHDEF([vstamp_cache], [vstamp_cv_cflag_$2])
AC_CACHE_CHECK([whether $CC takes $2], [vstamp_cache],
    [vstamp_saved_CFLAGS=$CFLAGS
     CFLAGS="$CFLAGS -Werror $2"
     AC_COMPILE_IFELSE([AC_LANG_PROGRAM()], [AS_VAR_SET([vstamp_cache], [yes])],
                       [AS_VAR_SET([vstamp_cache], [no])])
     CFLAGS=$vstamp_saved_CFLAGS])
AS_VAR_IF([vstamp_cache], [yes], [$1="$$1 $2"])
AS_VAR_POPDEF([vstamp_cache])
])

# VSTAMP_INSTRUMENT(flags, what for): build everything with these flags, or stop.
AC_DEFUN([VSTAMP_INSTRUMENT],
[vstamp_saved_CFLAGS=$CFLAGS
CFLAGS="$CFLAGS $1"
AC_MSG_CHECKING([whether $CC links with $1])
AC_LINK_IFELSE([AC_LANG_PROGRAM()], [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     AC_MSG_ERROR([$2 needs a compiler that takes $1])])
CFLAGS=$vstamp_saved_CFLAGS
INSTRUMENT_CFLAGS="$INSTRUMENT_CFLAGS $1"
])
