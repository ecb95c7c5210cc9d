# SPDX-License-Identifier: BSD-2-Clause
# Programs that use libvstamp as others do: the installed headers and the library, nothing else.
check_PROGRAMS += %D%/ask %D%/increments %D%/tally
%C%_ask_SOURCES = %D%/ask.c
%C%_ask_LDADD = libvstamp.la
%C%_increments_SOURCES = %D%/increments.c
%C%_increments_LDADD = libvstamp.la
%C%_tally_SOURCES = %D%/tally.c
%C%_tally_LDADD = libvstamp.la

# Those that replicate something; tests/cli/installed.bats compiles them as their users would.
check_PROGRAMS += %D%/counter
%C%_counter_SOURCES = %D%/counter.c
%C%_counter_LDADD = libvstamp-replica.la
check_LTLIBRARIES += %D%/jobs.la %D%/locks.la %D%/phonebook.la %D%/sql.la
%C%_jobs_la_SOURCES = %D%/jobs.c
%C%_jobs_la_LDFLAGS = $(PLUG_IN_LDFLAGS)
%C%_locks_la_SOURCES = %D%/locks.c
%C%_locks_la_LDFLAGS = $(PLUG_IN_LDFLAGS)
%C%_phonebook_la_SOURCES = %D%/phonebook.c
%C%_phonebook_la_LDFLAGS = $(PLUG_IN_LDFLAGS)
%C%_sql_la_SOURCES = %D%/sql.c
%C%_sql_la_LDFLAGS = $(PLUG_IN_LDFLAGS)
%C%_sql_la_LIBADD = $(SQLITE_LIBS)

# Applications that are programs of their own (vstamp-app-exec(5)).
programexamplesdir = $(docdir)/examples/exec
dist_programexamples_SCRIPTS = \
    %D%/exec/inventory.py \
    %D%/exec/leases.sh \
    %D%/exec/notes.sh

# The manual pages speak of them.
examplesdir = $(docdir)/examples
dist_examples_DATA = \
    %D%/ask.c \
    %D%/counter.c \
    %D%/increments.c \
    %D%/jobs.c \
    %D%/locks.c \
    %D%/phonebook.c \
    %D%/sql.c \
    %D%/tally.c
