# SPDX-License-Identifier: BSD-2-Clause
noinst_LTLIBRARIES += %D%/libclient.la
%C%_libclient_la_SOURCES = \
    %D%/ahead.c \
    %D%/ahead.h \
    %D%/answer.c \
    %D%/answer.h \
    %D%/base64.c \
    %D%/base64.h \
    %D%/bench.c \
    %D%/bench.h \
    %D%/client.c \
    %D%/client.h \
    %D%/cmd_abandon.c \
    %D%/cmd_append.c \
    %D%/cmd_bench.c \
    %D%/cmd_call.c \
    %D%/cmd_cas.c \
    %D%/cmd_del.c \
    %D%/cmd_expire.c \
    %D%/cmd_export.c \
    %D%/cmd_get.c \
    %D%/cmd_import.c \
    %D%/cmd_incr.c \
    %D%/cmd_list.c \
    %D%/cmd_pending.c \
    %D%/cmd_put.c \
    %D%/cmd_resume.c \
    %D%/cmd_shell.c \
    %D%/cmd_size.c \
    %D%/cmd_ttl.c \
    %D%/cmd_txn.c \
    %D%/cmd_watch.c \
    %D%/command.c \
    %D%/command.h \
    %D%/commands.def \
    %D%/conn.c \
    %D%/conn.h \
    %D%/crowd.c \
    %D%/crowd.h \
    %D%/histogram.c \
    %D%/histogram.h \
    %D%/input.c \
    %D%/input.h \
    %D%/json_bytes.c \
    %D%/json_bytes.h \
    %D%/line.c \
    %D%/line.h \
    %D%/lines.c \
    %D%/lines.h \
    %D%/listing.c \
    %D%/listing.h \
    %D%/memory.c \
    %D%/memory.h \
    %D%/operation.c \
    %D%/operation.h \
    %D%/outcome.c \
    %D%/outcome.h \
    %D%/pair.c \
    %D%/pair.h \
    %D%/plot.c \
    %D%/plot.h \
    %D%/request.c \
    %D%/request.h \
    %D%/result.c \
    %D%/result.h \
    %D%/session_file.c \
    %D%/session_file.h \
    %D%/timeline.c \
    %D%/timeline.h \
    %D%/ttl.c \
    %D%/ttl.h \
    %D%/zipf.c \
    %D%/zipf.h
CLIENT_LIBS = %D%/libclient.la $(JANSSON_LIBS) $(EDIT_LIBS) -lm

bin_PROGRAMS += vstamp
vstamp_SOURCES = \
    %D%/main.c
vstamp_LDADD = $(CLIENT_LIBS) $(KV_LIBS) $(PROGRAM_LIBS) $(CORE_LIBS)

dist_bashcompletion_DATA += %D%/completions/vstamp.bash
