# SPDX-License-Identifier: BSD-2-Clause
# One convenience library a room.  The installed library and the programs are made of the same
# objects; so are the simulator and the tests.

noinst_LTLIBRARIES += \
    %D%/libbase.la \
    %D%/libwire.la \
    %D%/libvr.la \
    %D%/libnode.la \
    %D%/libproxy.la \
    %D%/libtls.la \
    %D%/libdriver.la \
    %D%/libkv.la \
    %D%/libkvcode.la \
    %D%/libprogram.la

%C%_libbase_la_SOURCES = \
    %D%/base/arena.c \
    %D%/base/arena.h \
    %D%/base/assert.c \
    %D%/base/assert.h \
    %D%/base/bitset.h \
    %D%/base/bytes.c \
    %D%/base/bytes.h \
    %D%/base/chain.h \
    %D%/base/checksum.c \
    %D%/base/checksum.h \
    %D%/base/checksum_avx2.h \
    %D%/base/endian.h \
    %D%/base/error.c \
    %D%/base/limits.h \
    %D%/base/log_level.h \
    %D%/base/prng.c \
    %D%/base/prng.h \
    %D%/base/word.h
if X86_64
noinst_LTLIBRARIES += %D%/libavx2.la
%C%_libavx2_la_SOURCES = %D%/base/checksum_avx2.c
%C%_libavx2_la_CFLAGS = $(AM_CFLAGS) -mavx2
%C%_libbase_la_LIBADD = %D%/libavx2.la
endif

%C%_libwire_la_SOURCES = \
    %D%/wire/codec.c \
    %D%/wire/codec.h \
    %D%/wire/coding.def \
    %D%/wire/frame.c \
    %D%/wire/frame.h \
    %D%/wire/messages.def \
    %D%/wire/print.c \
    %D%/wire/requests.def \
    %D%/wire/schema.c \
    %D%/wire/schema.h \
    %D%/wire/version.h

%C%_libvr_la_SOURCES = \
    %D%/vr/alone.c \
    %D%/vr/application.c \
    %D%/vr/batch.c \
    %D%/vr/checkpoint.c \
    %D%/vr/clock.c \
    %D%/vr/client_table.c \
    %D%/vr/client_table.h \
    %D%/vr/commit.c \
    %D%/vr/config.h \
    %D%/vr/copy.c \
    %D%/vr/digest.c \
    %D%/vr/epoch.c \
    %D%/vr/former.c \
    %D%/vr/hand_over.c \
    %D%/vr/id_hash.h \
    %D%/vr/inflight.c \
    %D%/vr/inflight.h \
    %D%/vr/lease.c \
    %D%/vr/log.c \
    %D%/vr/log.h \
    %D%/vr/marks.c \
    %D%/vr/marks.def \
    %D%/vr/marks.h \
    %D%/vr/membership.c \
    %D%/vr/membership.h \
    %D%/vr/mend.c \
    %D%/vr/normal.c \
    %D%/vr/page_transfer.c \
    %D%/vr/pages.c \
    %D%/vr/pages.h \
    %D%/vr/pass_over.c \
    %D%/vr/reads.c \
    %D%/vr/reconfiguration.c \
    %D%/vr/recovery.c \
    %D%/vr/restart.c \
    %D%/vr/replica.c \
    %D%/vr/replica.h \
    %D%/vr/rooms.h \
    %D%/vr/send.c \
    %D%/vr/session.c \
    %D%/vr/session.h \
    %D%/vr/settings.c \
    %D%/vr/settings.h \
    %D%/vr/state_transfer.c \
    %D%/vr/tick.c \
    %D%/vr/trail.c \
    %D%/vr/trail.h \
    %D%/vr/tree.c \
    %D%/vr/tree.h \
    %D%/vr/version.c \
    %D%/vr/view_change.c \
    %D%/vr/witness.c \
    %D%/vr/witness.h

%C%_libnode_la_SOURCES = \
    %D%/node/copier.c \
    %D%/node/copier.h \
    %D%/node/copy.c \
    %D%/node/copy.h \
    %D%/node/journal.c \
    %D%/node/journal.h \
    %D%/node/journal_walk.c \
    %D%/node/journal_walk.h \
    %D%/node/node.c \
    %D%/node/node.h \
    %D%/node/node_state.h \
    %D%/node/recording.c \
    %D%/node/recording_feed.c \
    %D%/node/recording.def \
    %D%/node/recording.h \
    %D%/node/restore.c \
    %D%/node/restore_checkpoint.c \
    %D%/node/restore_copy.c \
    %D%/node/restore_journal.c \
    %D%/node/scrub.c \
    %D%/node/status.c \
    %D%/node/status.def \
    %D%/node/status.h \
    %D%/node/store.c \
    %D%/node/store_checkpoint.c \
    %D%/node/store_fetched.c \
    %D%/node/store_journal.c \
    %D%/node/store_trail.c \
    %D%/node/trail.c \
    %D%/node/trail.h

%C%_libproxy_la_SOURCES = \
    %D%/proxy/proxy.c \
    %D%/proxy/proxy.h

%C%_libtls_la_SOURCES = \
    %D%/tls/tls.c \
    %D%/tls/tls.h
%C%_libtls_la_LIBADD = $(SSL_LIBS)

# Beside libprogram, so that libvstamp has it without libyaml.
%C%_libdriver_la_SOURCES = \
    %D%/driver/link.c \
    %D%/driver/link.h \
    %D%/driver/lookup.c \
    %D%/driver/lookup.h \
    %D%/driver/driver.c \
    %D%/driver/driver.h \
    %D%/program/address.c \
    %D%/program/address.h

# Apart from the store: libvstamp has it for those who ask one.
%C%_libkvcode_la_SOURCES = \
    %D%/kv/calls.c \
    %D%/kv/codec.c \
    %D%/kv/kv.h \
    %D%/kv/ops.def \
    %D%/kv/txn.c

%C%_libkv_la_SOURCES = \
    %D%/kv/app.c \
    %D%/kv/cells.c \
    %D%/kv/cells.h \
    %D%/kv/changes.c \
    %D%/kv/changes.h \
    %D%/kv/execute.h \
    %D%/kv/index.c \
    %D%/kv/index.h \
    %D%/kv/reads.c \
    %D%/kv/sound.c \
    %D%/kv/store.c \
    %D%/kv/store.h \
    %D%/kv/writes.c
%C%_libkv_la_LIBADD = %D%/libkvcode.la

%C%_libprogram_la_SOURCES = \
    %D%/program/cli.c \
    %D%/program/cli.h \
    %D%/program/clock.h \
    %D%/program/config.c \
    %D%/program/config.def \
    %D%/program/config.h \
    %D%/program/config_keys.c \
    %D%/program/config_keys.h \
    %D%/program/config_yaml.c \
    %D%/program/crash.c \
    %D%/program/crash.h \
    %D%/program/duration.c \
    %D%/program/duration.h \
    %D%/program/escape.c \
    %D%/program/escape.h \
    %D%/program/folders.c \
    %D%/program/folders.h \
    %D%/program/id.c \
    %D%/program/id.h \
    %D%/program/log.c \
    %D%/program/log.h \
    %D%/program/nearest.c \
    %D%/program/nearest.h \
    %D%/program/plug_in.c \
    %D%/program/plug_in.h \
    %D%/program/progress.c \
    %D%/program/progress.h \
    %D%/program/signals.c \
    %D%/program/signals.h \
    %D%/program/whole_file.c \
    %D%/program/whole_file.h \
    %D%/program/write_all.c \
    %D%/program/write_all.h \
    %D%/program/zeros.c \
    %D%/program/zeros.h

# The pure rooms: no system call, clock, thread or allocation in them (tests/check-pure.sh).
PURE_ARCHIVES = %D%/libproxy.la %D%/libnode.la %D%/libvr.la %D%/libwire.la %D%/libkv.la %D%/libbase.la

# What a program links, in the order of who needs whom.
CORE_LIBS = %D%/libnode.la %D%/libvr.la %D%/libwire.la %D%/libbase.la $(XXHASH_LIBS)
KV_LIBS = %D%/libkv.la
PROGRAM_LIBS = %D%/libprogram.la %D%/libdriver.la %D%/libtls.la %D%/libproxy.la $(YAML_LIBS)

lib_LTLIBRARIES += libvstamp.la
libvstamp_la_SOURCES =
libvstamp_la_LIBADD = %D%/libkvcode.la %D%/libdriver.la %D%/libtls.la %D%/libproxy.la \
    $(CORE_LIBS)
libvstamp_la_LDFLAGS = $(LIBVSTAMP_LDFLAGS)
EXTRA_libvstamp_la_DEPENDENCIES = %D%/vstamp.map
# They stay when they are unloaded: a thread may still be looking up a name.
LIBVSTAMP_LDFLAGS = $(AM_LDFLAGS) -no-undefined -version-info $(LIBVSTAMP_VERSION_INFO) \
    -Wl,--version-script=$(srcdir)/%D%/vstamp.map -Wl,-z,nodelete
EXTRA_DIST += %D%/vstamp.map

# In a shared library only the names of the public headers are seen; in an archive all that files
# share could be names of the program that it goes into.  So they get the prefix, too; what a link
# with -flto would read does not have it, and goes.
install-exec-hook:
	@cd $(DESTDIR)$(libdir) && for name in libvstamp libvstamp-replica; do \
	    test -e $$name.a || continue; \
	    $(NM) -g --defined-only $$name.a | \
	        $(AWK) 'NF == 3 && $$3 !~ /^vstamp_/ { print $$3, "vstamp__" $$3 }' >$$name.names && \
	    $(OBJCOPY) --redefine-syms=$$name.names --remove-section='.gnu.lto_*' $$name.a && \
	    rm $$name.names || exit 1; \
	done

vstampincludedir = $(includedir)/vstamp
vstampinclude_HEADERS = \
    %D%/include/vstamp/api.h \
    %D%/include/vstamp/app.h \
    %D%/include/vstamp/client.h \
    %D%/include/vstamp/error.h \
    %D%/include/vstamp/errors.def \
    %D%/include/vstamp/id.h \
    %D%/include/vstamp/kv.h \
    %D%/include/vstamp/replica.h

pkgconfigdir = $(libdir)/pkgconfig
pkgconfig_DATA = %D%/vstamp.pc %D%/vstamp-replica.pc
