# SPDX-License-Identifier: BSD-2-Clause
bin_PROGRAMS += vstamp-replica

# Apart from the program: vstamp-admin restore writes folders with it.
noinst_LTLIBRARIES += %D%/libstorage.la
%C%_libstorage_la_SOURCES = \
    %D%/storage.c \
    %D%/storage.h \
    %D%/storage_aside.c \
    %D%/storage_check.c \
    %D%/storage_checkpoint.c \
    %D%/storage_fetched.c \
    %D%/storage_folder.c \
    %D%/storage_journal.c \
    %D%/storage_lane.c \
    %D%/storage_lane.h \
    %D%/storage_owner.c \
    %D%/storage_pages.c \
    %D%/storage_pages.h \
    %D%/storage_ring.c \
    %D%/storage_trail.c \
    %D%/turn.c \
    %D%/turn.h
STORAGE_LIBS = %D%/libstorage.la $(UV_LIBS) $(URING_LIBS) $(LMDB_LIBS)

# Apart from the program: whoever runs applications can run them as processes.
noinst_LTLIBRARIES += %D%/libexec.la
%C%_libexec_la_SOURCES = \
    %D%/app_answer.c \
    %D%/app_answer.h \
    %D%/app_exec.c \
    %D%/app_exec.h \
    %D%/buffer.c \
    %D%/buffer.h \
    %D%/child.c \
    %D%/child.h
EXEC_LIBS = %D%/libexec.la

# All of the daemon but its main function, for the program and for the library of other daemons.
noinst_LTLIBRARIES += %D%/libreplica.la
%C%_libreplica_la_SOURCES = \
    %D%/clients.c \
    %D%/clients.h \
    %D%/command.c \
    %D%/command.h \
    %D%/connection.c \
    %D%/connection.h \
    %D%/endpoint.c \
    %D%/endpoint.h \
    %D%/listen.c \
    %D%/listen.h \
    %D%/local.c \
    %D%/local.h \
    %D%/notify.c \
    %D%/notify.h \
    %D%/peers.c \
    %D%/peers.h \
    %D%/recorder.c \
    %D%/recorder.h \
    %D%/report.c \
    %D%/report.h \
    %D%/serve.c \
    %D%/serve.h \
    %D%/transport_uv.c \
    %D%/transport_uv.h
REPLICA_LIBS = %D%/libreplica.la $(STORAGE_LIBS) $(EXEC_LIBS) $(PROGRAM_LIBS) $(CORE_LIBS) \
    $(MICROHTTPD_LIBS) $(JANSSON_LIBS)

# Plug-ins find there what <vstamp/app.h> declares.
vstamp_replica_SOURCES = %D%/main.c
vstamp_replica_LDADD = $(KV_LIBS) $(REPLICA_LIBS)
vstamp_replica_LDFLAGS = $(AM_LDFLAGS) -export-dynamic

lib_LTLIBRARIES += libvstamp-replica.la
libvstamp_replica_la_SOURCES =
libvstamp_replica_la_LIBADD = $(REPLICA_LIBS)
libvstamp_replica_la_LDFLAGS = $(LIBVSTAMP_LDFLAGS)
EXTRA_libvstamp_replica_la_DEPENDENCIES = lib/vstamp.map

if SYSTEMD_UNIT
systemdsystemunit_DATA = %D%/vstamp-replica@.service
endif
%D%/vstamp-replica@.service: %D%/vstamp-replica@.service.in Makefile
	$(AM_V_GEN)$(MKDIR_P) %D% && \
	$(SED) -e 's|[@]bindir[@]|$(bindir)|g' -e 's|[@]sysconfdir[@]|$(sysconfdir)|g' \
	    $(srcdir)/%D%/vstamp-replica@.service.in >$@.tmp && mv $@.tmp $@

EXTRA_DIST += %D%/vstamp-replica@.service.in
CLEANFILES += %D%/vstamp-replica@.service

# An example to start from: three replicas on loopback.
dist_doc_DATA += %D%/server-config.yaml

dist_bashcompletion_DATA += %D%/completions/vstamp-replica.bash
