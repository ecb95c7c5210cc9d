# SPDX-License-Identifier: BSD-2-Clause
bin_PROGRAMS += vstamp-admin

# Apart from the program, so that tests/unit can link what judges and prints.
noinst_LTLIBRARIES += %D%/libadmin.la
%C%_libadmin_la_SOURCES = \
    %D%/answers.c \
    %D%/answers.h \
    %D%/copy_file.c \
    %D%/copy_file.h \
    %D%/fetch.c \
    %D%/fetch.h \
    %D%/folder.c \
    %D%/folder.h \
    %D%/members.c \
    %D%/members.h \
    %D%/notation.c \
    %D%/notation.h \
    %D%/plan.c \
    %D%/plan.h \
    %D%/table.c \
    %D%/table.h \
    %D%/talk.c \
    %D%/talk.h \
    %D%/verdict.c \
    %D%/verdict.h
ADMIN_LIBS = %D%/libadmin.la $(EXEC_LIBS) $(JANSSON_LIBS) $(CURL_LIBS)

vstamp_admin_SOURCES = \
    %D%/admin.h \
    %D%/cmd_backup.c \
    %D%/cmd_bisect.c \
    %D%/cmd_health.c \
    %D%/cmd_journal.c \
    %D%/cmd_metrics.c \
    %D%/cmd_reconfigure.c \
    %D%/cmd_restore.c \
    %D%/cmd_status.c \
    %D%/cmd_view_change.c \
    %D%/commands.def \
    %D%/main.c \
    %D%/member.c \
    %D%/member.h \
    %D%/operation_text.c \
    %D%/operation_text.h \
    %D%/versions.c \
    %D%/versions.h
vstamp_admin_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
vstamp_admin_LDADD = $(ADMIN_LIBS) $(STORAGE_LIBS) $(KV_LIBS) $(PROGRAM_LIBS) $(CORE_LIBS)

dist_bashcompletion_DATA += %D%/completions/vstamp-admin.bash
