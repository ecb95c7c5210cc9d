# SPDX-License-Identifier: BSD-2-Clause
# Compiler and libraries, all asked for before the first complaint: whoever builds vstamp on a new machine
# wants one line to paste, not one failure a library.
#
# VSTAMP_COMPILER            looks for what makes programs of C, or notes that it is missing; before
#                            AC_PROG_CC, which stops there and names no package.
# VSTAMP_LIBRARY(VARIABLE, pkg-config module, minimum version, Debian package, what it is for)
#   sets VARIABLE_CFLAGS and VARIABLE_LIBS, or notes that it is missing.
# VSTAMP_TEST_LIBRARY(...)   the same for what only the tests need.
# VSTAMP_TEST_PROGRAM(VARIABLE, program, Debian package, what it is for)
# VSTAMP_LIBRARIES_CHECK     names everything that is missing, and stops if a library of the programs is;
#                            CHECK_READY says if the tests can run.
#
# ./bootstrap reads the package names out of the calls in configure.ac, so keep each call on one line.

AC_DEFUN([VSTAMP_COMPILER],
[AC_CHECK_TOOLS([CC], [gcc clang cc])
AC_MSG_CHECKING([whether ${CC:-it} makes programs])
AS_ECHO(["int main(void) { return 0; }"]) >conftest.c
AS_IF([test -n "$CC" && $CC -o conftest conftest.c >&AS_MESSAGE_LOG_FD 2>&1],
    [AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])
     vstamp_missing="$vstamp_missing
    a C compiler that makes programs${CC:+, as $CC does not}: Debian packages gcc and libc6-dev"
     vstamp_packages="$vstamp_packages gcc libc6-dev"])
rm -f conftest conftest.c
])

AC_DEFUN([VSTAMP_LIBRARY],
[PKG_CHECK_MODULES([$1], [$2 >= $3], [],
    [vstamp_missing="$vstamp_missing
    $2 >= $3 ($5): Debian package $4"
     vstamp_packages="$vstamp_packages $4"])
])

AC_DEFUN([VSTAMP_TEST_LIBRARY],
[PKG_CHECK_MODULES([$1], [$2 >= $3], [],
    [vstamp_missing_tests="$vstamp_missing_tests $4"])
])

AC_DEFUN([VSTAMP_TEST_PROGRAM],
[AC_CHECK_PROG([$1], [$2], [$2])
AS_IF([test -z "$[]$1"], [vstamp_missing_tests="$vstamp_missing_tests $3"])
])

AC_DEFUN([VSTAMP_LIBRARIES_CHECK],
[AS_IF([test -n "$vstamp_missing"],
    [AC_MSG_ERROR([these are missing or too old:$vstamp_missing
On Debian this installs them:
    apt-get install$vstamp_packages$vstamp_missing_tests])])
AS_IF([test -n "$vstamp_missing_tests"],
    [AC_MSG_WARN([make check will not run; on Debian this installs what it needs:
    apt-get install$vstamp_missing_tests])])
MISSING_FOR_CHECK="$vstamp_missing_tests"
AC_SUBST([MISSING_FOR_CHECK])
AM_CONDITIONAL([CHECK_READY], [test -z "$vstamp_missing_tests"])
])
