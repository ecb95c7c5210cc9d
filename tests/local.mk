# SPDX-License-Identifier: BSD-2-Clause
# Tests: C programs (cmocka), programs from the outside (bats), and the tree's own rules (check-*.sh).
# All speak TAP to the one driver.

UNIT_TESTS = \
    %D%/unit/test_address \
    %D%/unit/test_app_answer \
    %D%/unit/test_app_exec \
    %D%/unit/test_application \
    %D%/unit/test_bench \
    %D%/unit/test_bounds \
    %D%/unit/test_bytes \
    %D%/unit/test_checksum \
    %D%/unit/test_cli \
    %D%/unit/test_client_table \
    %D%/unit/test_clients \
    %D%/unit/test_codec \
    %D%/unit/test_config \
    %D%/unit/test_connection \
    %D%/unit/test_dials \
    %D%/unit/test_driver \
    %D%/unit/test_error \
    %D%/unit/test_folder \
    %D%/unit/test_frame \
    %D%/unit/test_id_hash \
    %D%/unit/test_journal \
    %D%/unit/test_kv_calls \
    %D%/unit/test_kv_changes \
    %D%/unit/test_kv_codec \
    %D%/unit/test_kv_expiry \
    %D%/unit/test_kv_index \
    %D%/unit/test_kv_sound \
    %D%/unit/test_kv_store \
    %D%/unit/test_kv_txn \
    %D%/unit/test_line \
    %D%/unit/test_linear \
    %D%/unit/test_link \
    %D%/unit/test_log \
    %D%/unit/test_pages \
    %D%/unit/test_peers \
    %D%/unit/test_plan \
    %D%/unit/test_print \
    %D%/unit/test_progress \
    %D%/unit/test_prng \
    %D%/unit/test_proxy \
    %D%/unit/test_recording \
    %D%/unit/test_replay \
    %D%/unit/test_request \
    %D%/unit/test_restore \
    %D%/unit/test_sealed \
    %D%/unit/test_session \
    %D%/unit/test_session_asks \
    %D%/unit/test_session_file \
    %D%/unit/test_session_moves \
    %D%/unit/test_storage \
    %D%/unit/test_storage_pages \
    %D%/unit/test_talk \
    %D%/unit/test_tls \
    %D%/unit/test_trail \
    %D%/unit/test_tree \
    %D%/unit/test_turn \
    %D%/unit/test_verdict \
    %D%/unit/test_walk \
    %D%/unit/test_whole_file

SCENARIO_TESTS = \
    %D%/scenario/test_clock \
    %D%/scenario/test_contradictions \
    %D%/scenario/test_copy \
    %D%/scenario/test_digest \
    %D%/scenario/test_damage \
    %D%/scenario/test_former \
    %D%/scenario/test_hand_over \
    %D%/scenario/test_lease \
    %D%/scenario/test_mend \
    %D%/scenario/test_mend_epochs \
    %D%/scenario/test_normal \
    %D%/scenario/test_page_transfer \
    %D%/scenario/test_pass_over \
    %D%/scenario/test_pass_over_starts \
    %D%/scenario/test_reads \
    %D%/scenario/test_reconfiguration \
    %D%/scenario/test_recovery \
    %D%/scenario/test_restart \
    %D%/scenario/test_roles \
    %D%/scenario/test_sessions \
    %D%/scenario/test_state_transfer \
    %D%/scenario/test_tick \
    %D%/scenario/test_version \
    %D%/scenario/test_view_change \
    %D%/scenario/test_witness

BATS_TESTS = \
    %D%/bench/compare.bats \
    %D%/bench/scale.bats \
    %D%/chaos/chaos.bats \
    %D%/chaos/epochs.bats \
    %D%/cli/installed.bats \
    %D%/cli/library-client.bats \
    %D%/cli/vstamp-admin-backup.bats \
    %D%/cli/vstamp-admin-bisect.bats \
    %D%/cli/vstamp-admin-health.bats \
    %D%/cli/vstamp-admin-journal.bats \
    %D%/cli/vstamp-admin-metrics.bats \
    %D%/cli/vstamp-admin-reconfigure.bats \
    %D%/cli/vstamp-admin-status.bats \
    %D%/cli/vstamp-admin-view-change.bats \
    %D%/cli/vstamp-app-exec.bats \
    %D%/cli/vstamp-app-steps.bats \
    %D%/cli/vstamp-app-stuck.bats \
    %D%/cli/vstamp-bench.bats \
    %D%/cli/vstamp-clocks.bats \
    %D%/cli/vstamp-commands.bats \
    %D%/cli/vstamp-completion.bats \
    %D%/cli/vstamp-disk-order.bats \
    %D%/cli/vstamp-failover.bats \
    %D%/cli/vstamp-import.bats \
    %D%/cli/vstamp-locate.bats \
    %D%/cli/vstamp-lost-answers.bats \
    %D%/cli/vstamp-network.bats \
    %D%/cli/vstamp-replaced.bats \
    %D%/cli/vstamp-replica-app.bats \
    %D%/cli/vstamp-replica-copies.bats \
    %D%/cli/vstamp-replica-diverged.bats \
    %D%/cli/vstamp-replica-disk.bats \
    %D%/cli/vstamp-replica-flips.bats \
    %D%/cli/vstamp-replica-endpoint.bats \
    %D%/cli/vstamp-replica-flood.bats \
    %D%/cli/vstamp-replica-full.bats \
    %D%/cli/vstamp-replica-memory.bats \
    %D%/cli/vstamp-replica-mend.bats \
    %D%/cli/vstamp-replica-record.bats \
    %D%/cli/vstamp-replica-start.bats \
    %D%/cli/vstamp-replica-stop.bats \
    %D%/cli/vstamp-session.bats \
    %D%/cli/vstamp-shell.bats \
    %D%/cli/vstamp-state-transfer.bats \
    %D%/cli/vstamp-tls.bats \
    %D%/cli/vstamp-ttl.bats \
    %D%/cli/vstamp-txn.bats \
    %D%/cli/vstamp-upgrade.bats \
    %D%/cli/vstamp-watch.bats \
    %D%/cli/vstamp-witness.bats \
    %D%/maelstrom/vstamp-maelstrom.bats \
    %D%/sim/vstamp-sim.bats

CHECKS = \
    %D%/cli/check-disk-thread.sh \
    %D%/check-configure.sh \
    %D%/check-exports.sh \
    %D%/check-layers.sh \
    %D%/check-man.sh \
    %D%/check-mutants.sh \
    %D%/check-pure.sh \
    %D%/check-tidy.sh

# Whole groups in one process, over the objects of lib.
noinst_LTLIBRARIES += %D%/libsim.la
%C%_libsim_la_SOURCES = \
    %D%/sim/application.c \
    %D%/sim/changes.c \
    %D%/sim/clocks.c \
    %D%/sim/find.c \
    %D%/sim/heavy.c \
    %D%/sim/illness.c \
    %D%/sim/check.c \
    %D%/sim/check.h \
    %D%/sim/copies.c \
    %D%/sim/disk.c \
    %D%/sim/disk.h \
    %D%/sim/disk_entries.c \
    %D%/sim/draw.c \
    %D%/sim/faults.c \
    %D%/sim/foreign.c \
    %D%/sim/foreign.h \
    %D%/sim/forget.c \
    %D%/sim/guard.c \
    %D%/sim/linear.c \
    %D%/sim/linear.h \
    %D%/sim/model.c \
    %D%/sim/model.h \
    %D%/sim/net.c \
    %D%/sim/operator.c \
    %D%/sim/options.def \
    %D%/sim/page_store.c \
    %D%/sim/page_store.h \
    %D%/sim/queue.c \
    %D%/sim/queue.h \
    %D%/sim/remembering.c \
    %D%/sim/remembering.h \
    %D%/sim/replay.c \
    %D%/sim/replay.h \
    %D%/sim/replicas.c \
    %D%/sim/rot.c \
    %D%/sim/flips.c \
    %D%/sim/sim.h \
    %D%/sim/stored.c \
    %D%/sim/trace.c \
    %D%/sim/states.c \
    %D%/sim/trails.c \
    %D%/sim/versions.c \
    %D%/sim/workload.c \
    %D%/sim/world.c
SIM_LIBS = %D%/libsim.la $(EXEC_LIBS)

# What several tests share.
check_LTLIBRARIES += %D%/libshared.la
%C%_libshared_la_SOURCES = \
    %D%/fuzz/wire_random.c \
    %D%/fuzz/wire_random.h \
    %D%/unit/certificates.h \
    %D%/unit/connected.h \
    %D%/unit/core.h \
    %D%/unit/grown.def \
    %D%/unit/hosted.h \
    %D%/unit/laned.h \
    %D%/unit/own_folder.h \
    %D%/unit/paged.h \
    %D%/unit/peered.h \
    %D%/unit/session_play.h \
    %D%/unit/small.h \
    %D%/unit/stored.h
SHARED_LIBS = %D%/libshared.la

# Installed, since it tests applications of other people, too.
bin_PROGRAMS += vstamp-sim
vstamp_sim_SOURCES = \
    %D%/sim/campaign.c \
    %D%/sim/campaign.h \
    %D%/sim/machine_time.c \
    %D%/sim/main.c
vstamp_sim_LDADD = $(SIM_LIBS) $(KV_LIBS) $(PROGRAM_LIBS) $(CORE_LIBS)
vstamp_sim_LDFLAGS = $(AM_LDFLAGS) -export-dynamic
dist_bashcompletion_DATA += %D%/sim/completions/vstamp-sim.bash

# An application with the flaw that its argument names, for --app.
check_LTLIBRARIES += %D%/sim/flawed.la
PLUG_IN_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared -rpath /nowhere
%C%_sim_flawed_la_SOURCES = %D%/sim/flawed.c
%C%_sim_flawed_la_LDFLAGS = $(PLUG_IN_LDFLAGS)
SIM_TESTS = \
    %D%/sim/check-seeds.sh
EXTRA_DIST += %D%/sim/seeds

# The store as a node of Maelstrom, and what runs such nodes where Maelstrom is not to be had.
noinst_PROGRAMS += vstamp-maelstrom
vstamp_maelstrom_SOURCES = \
    %D%/maelstrom/host.c \
    %D%/maelstrom/host.h \
    %D%/maelstrom/lines.c \
    %D%/maelstrom/lines.h \
    %D%/maelstrom/main.c \
    %D%/maelstrom/requests.c \
    %D%/maelstrom/requests.h
vstamp_maelstrom_LDADD = $(CLIENT_LIBS) $(KV_LIBS) $(PROGRAM_LIBS) $(CORE_LIBS)
check_PROGRAMS += %D%/maelstrom/driver
%C%_maelstrom_driver_SOURCES = \
    %D%/maelstrom/driver.c \
    %D%/maelstrom/lines.c \
    %D%/maelstrom/lines.h \
    %D%/maelstrom/network.c \
    %D%/maelstrom/network.h \
    %D%/maelstrom/workload.c \
    %D%/maelstrom/workload.h
%C%_maelstrom_driver_LDADD = $(SIM_LIBS) $(CLIENT_LIBS) $(KV_LIBS) $(PROGRAM_LIBS) $(CORE_LIBS)

# What vstamp-admin asks when a test wants odd answers.
check_PROGRAMS += %D%/cli/fake_status
%C%_cli_fake_status_SOURCES = %D%/cli/fake_status.c
%C%_cli_fake_status_LDADD = $(MICROHTTPD_LIBS)

# Whom a replica tells how it is.
check_PROGRAMS += %D%/cli/hear_notify
%C%_cli_hear_notify_LDADD =

# Loaded into a program by LD_PRELOAD, so that it meets what is rare.
check_LTLIBRARIES += %D%/cli/bad_sector.la
%C%_cli_bad_sector_la_SOURCES = %D%/cli/bad_sector.c
%C%_cli_bad_sector_la_LDFLAGS = $(PLUG_IN_LDFLAGS)
check_LTLIBRARIES += %D%/cli/fast_clock.la
%C%_cli_fast_clock_la_SOURCES = %D%/cli/fast_clock.c
%C%_cli_fast_clock_la_LDFLAGS = $(PLUG_IN_LDFLAGS)
check_LTLIBRARIES += %D%/cli/slow_names.la
%C%_cli_slow_names_la_SOURCES = %D%/cli/slow_names.c
%C%_cli_slow_names_la_LDFLAGS = $(PLUG_IN_LDFLAGS)
check_LTLIBRARIES += %D%/cli/bad_folder.la
%C%_cli_bad_folder_la_SOURCES = %D%/cli/bad_folder.c
%C%_cli_bad_folder_la_LDFLAGS = $(PLUG_IN_LDFLAGS)
check_LTLIBRARIES += %D%/cli/busy_ring.la
%C%_cli_busy_ring_la_SOURCES = %D%/cli/busy_ring.c
%C%_cli_busy_ring_la_LDFLAGS = $(PLUG_IN_LDFLAGS)
check_LTLIBRARIES += %D%/cli/slow_pages.la
%C%_cli_slow_pages_la_SOURCES = %D%/cli/slow_pages.c
%C%_cli_slow_pages_la_LDFLAGS = $(PLUG_IN_LDFLAGS)
check_LTLIBRARIES += %D%/cli/no_poll.la
%C%_cli_no_poll_la_SOURCES = %D%/cli/no_poll.c
%C%_cli_no_poll_la_LDFLAGS = $(PLUG_IN_LDFLAGS)
check_LTLIBRARIES += %D%/cli/late_signal.la
%C%_cli_late_signal_la_SOURCES = %D%/cli/late_signal.c
%C%_cli_late_signal_la_LDFLAGS = $(PLUG_IN_LDFLAGS)
check_LTLIBRARIES += %D%/cli/slow_sync.la
%C%_cli_slow_sync_la_SOURCES = %D%/cli/slow_sync.c
%C%_cli_slow_sync_la_LDFLAGS = $(PLUG_IN_LDFLAGS)

# An application that is a process and fails when it is told to.
check_PROGRAMS += %D%/cli/faulty_app
%C%_cli_faulty_app_SOURCES = %D%/cli/faulty_app.c
%C%_cli_faulty_app_LDADD =

# Begins calls in callbacks.
check_PROGRAMS += %D%/cli/calls_back
%C%_cli_calls_back_LDADD = libvstamp.la

# Unloads the library while it is at work.
check_PROGRAMS += %D%/cli/unloads
%C%_cli_unloads_LDADD =

# A replica that strays, and another way to make one.
check_PROGRAMS += %D%/cli/straying_replica
%C%_cli_straying_replica_LDADD = $(KV_LIBS) $(REPLICA_LIBS)
check_PROGRAMS += %D%/cli/turn_memory

# Loses answers between a client and a replica.
check_PROGRAMS += %D%/cli/lossy_proxy
%C%_cli_lossy_proxy_LDADD = $(CORE_LIBS)

# Sees in which order files are written, synced and named.
check_LTLIBRARIES += %D%/cli/disk_order.la
%C%_cli_disk_order_la_SOURCES = %D%/cli/disk_order.c
%C%_cli_disk_order_la_LDFLAGS = $(PLUG_IN_LDFLAGS)

# The program of a release that speaks one version more.
check_PROGRAMS += %D%/cli/vstamp-replica-raised
%C%_cli_vstamp_replica_raised_SOURCES = %D%/cli/raised.c $(vstamp_replica_SOURCES)
%C%_cli_vstamp_replica_raised_LDFLAGS = $(vstamp_replica_LDFLAGS) -Wl,--wrap=config_to_vr
%C%_cli_vstamp_replica_raised_LDADD = $(vstamp_replica_LDADD)

# Throws bad frames at a replica.
check_PROGRAMS += %D%/cli/throw_frames
%C%_cli_throw_frames_LDADD = $(KV_LIBS) $(CORE_LIBS)

# What tests and fuzzers link: all rooms in one archive, a thin one, and of the libraries those that
# it turns out to need.  For a program and a dozen convenience libraries libtool takes ten times as
# long as the linker, and there are a hundred such programs.
TEST_ROOMS = \
    %D%/libshared.la \
    %D%/libsim.la \
    %D%/libstage.la \
    admin/libadmin.la \
    client/libclient.la \
    lib/libdriver.la \
    lib/libprogram.la \
    lib/libtls.la \
    replica/libexec.la \
    replica/libreplica.la \
    replica/libstorage.la \
    $(PURE_ARCHIVES)
TEST_LIBS = %D%/rooms.a $(UV_LIBS) $(URING_LIBS) $(LMDB_LIBS) $(MICROHTTPD_LIBS) \
    $(JANSSON_LIBS) $(CURL_LIBS) $(EDIT_LIBS) $(YAML_LIBS) $(SSL_LIBS) $(XXHASH_LIBS) -lm
CLEANFILES += %D%/rooms.a
%D%/rooms.a: $(TEST_ROOMS)
	$(AM_V_GEN)rm -f $@ && $(AR) --thin -crs $@ \
	    $$(echo $(TEST_ROOMS) | sed 's|\([^/ ]*\)\.la|.libs/\1.a|g')

# Unit and scenario tests are one file each, with the name of the program.
if CHECK_READY
check_PROGRAMS += $(UNIT_TESTS) $(SCENARIO_TESTS)
check_LTLIBRARIES += %D%/libcluster.la
endif
%C%_libcluster_la_SOURCES = %D%/scenario/cluster.c %D%/scenario/cluster.h \
    %D%/scenario/cluster_clients.c %D%/scenario/cluster_state.h %D%/scenario/members.h \
    %D%/scenario/poison.h
LDADD = %D%/libcluster.la $(TEST_LIBS) $(CMOCKA_LIBS)
%C%_unit_test_turn_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=node_next_timer

# Fuzzers: with --enable-fuzzers programs of libFuzzer, else tests that run their corpus.
FUZZ_TESTS = \
    %D%/fuzz/fuzz_config \
    %D%/fuzz/fuzz_copy \
    %D%/fuzz/fuzz_decode \
    %D%/fuzz/fuzz_journal \
    %D%/fuzz/fuzz_line \
    %D%/fuzz/fuzz_replica \
    %D%/fuzz/fuzz_session \
    %D%/fuzz/fuzz_stream \
    %D%/fuzz/fuzz_trail
check_PROGRAMS += $(FUZZ_TESTS)
check_LTLIBRARIES += %D%/libstage.la
%C%_libstage_la_SOURCES = \
    %D%/fuzz/forge.c \
    %D%/fuzz/forge.h \
    %D%/fuzz/stage.c \
    %D%/fuzz/stage.h
FUZZ_LIBS = $(FUZZ_MAIN) $(TEST_LIBS)
%C%_fuzz_fuzz_config_SOURCES = %D%/fuzz/fuzz_config.c %D%/fuzz/fuzz.h
%C%_fuzz_fuzz_config_LDADD = $(FUZZ_LIBS)
%C%_fuzz_fuzz_config_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZER)
%C%_fuzz_fuzz_copy_SOURCES = %D%/fuzz/fuzz_copy.c %D%/fuzz/fuzz.h
%C%_fuzz_fuzz_copy_LDADD = $(FUZZ_LIBS)
%C%_fuzz_fuzz_copy_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZER)
%C%_fuzz_fuzz_decode_SOURCES = %D%/fuzz/fuzz_decode.c %D%/fuzz/fuzz.h
%C%_fuzz_fuzz_decode_LDADD = $(FUZZ_LIBS)
%C%_fuzz_fuzz_decode_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZER)
%C%_fuzz_fuzz_journal_SOURCES = %D%/fuzz/fuzz_journal.c %D%/fuzz/fuzz.h
%C%_fuzz_fuzz_journal_LDADD = $(FUZZ_LIBS)
%C%_fuzz_fuzz_journal_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZER)
%C%_fuzz_fuzz_line_SOURCES = %D%/fuzz/fuzz_line.c %D%/fuzz/fuzz.h
%C%_fuzz_fuzz_line_LDADD = $(FUZZ_LIBS)
%C%_fuzz_fuzz_line_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZER)
%C%_fuzz_fuzz_replica_SOURCES = %D%/fuzz/fuzz_replica.c %D%/fuzz/fuzz.h
%C%_fuzz_fuzz_replica_LDADD = $(FUZZ_LIBS)
%C%_fuzz_fuzz_replica_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZER)
%C%_fuzz_fuzz_session_SOURCES = %D%/fuzz/fuzz_session.c %D%/fuzz/fuzz.h
%C%_fuzz_fuzz_session_LDADD = $(FUZZ_LIBS)
%C%_fuzz_fuzz_session_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZER)
%C%_fuzz_fuzz_stream_SOURCES = %D%/fuzz/fuzz_stream.c %D%/fuzz/fuzz.h
%C%_fuzz_fuzz_stream_LDADD = $(FUZZ_LIBS)
%C%_fuzz_fuzz_stream_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZER)
%C%_fuzz_fuzz_trail_SOURCES = %D%/fuzz/fuzz_trail.c %D%/fuzz/fuzz.h
%C%_fuzz_fuzz_trail_LDADD = $(FUZZ_LIBS)
%C%_fuzz_fuzz_trail_LDFLAGS = $(AM_LDFLAGS) $(LINK_FUZZER)
EXTRA_DIST += \
    %D%/fuzz/corpus-config \
    %D%/fuzz/corpus-copy \
    %D%/fuzz/corpus-decode \
    %D%/fuzz/corpus-journal \
    %D%/fuzz/corpus-line \
    %D%/fuzz/corpus-replica \
    %D%/fuzz/corpus-session \
    %D%/fuzz/corpus-stream \
    %D%/fuzz/corpus-trail
if FUZZERS
LINK_FUZZER = -fsanitize=fuzzer
else
check_LTLIBRARIES += %D%/libcorpus.la
%C%_libcorpus_la_SOURCES = %D%/fuzz/run_corpus.c %D%/fuzz/fuzz.h
FUZZ_MAIN = %D%/libcorpus.la
if CHECK_READY
TESTS += $(FUZZ_TESTS)
endif
endif

# Runs each fuzzer for FUZZ_SECONDS.  What it finds worth keeping gathers in tests/fuzz/new-NAME of
# the build tree, what ends it is written to tests/fuzz/NAME-crash-...
FUZZ_SECONDS = 60
.PHONY: fuzz
fuzz: $(FUZZ_TESTS)
if FUZZERS
	@for fuzzer in $(FUZZ_TESTS); do \
	    name=$${fuzzer##*fuzz_}; new=%D%/fuzz/new-$$name; \
	    mkdir -p $$new && echo "== $$name" && \
	    ./$$fuzzer -max_total_time=$(FUZZ_SECONDS) -timeout=10 -print_final_stats=1 -verbosity=0 \
	        -max_len=4096 -artifact_prefix=%D%/fuzz/$$name- $$new \
	        $(srcdir)/%D%/fuzz/corpus-$$name || exit 1; \
	done
else
	@echo "make fuzz needs: CC=clang ./configure --enable-fuzzers" >&2; exit 1
endif

EXTRA_DIST += \
    %D%/cli/certificates.bash \
    %D%/cli/epochs.bash \
    %D%/cli/fakes.bash \
    %D%/cli/group.bash \
    %D%/maelstrom/fake_node.bash
EXTRA_DIST += $(BATS_TESTS) $(SIM_TESTS) $(CHECKS) %D%/demo.sh

if CHECK_READY
TESTS += $(CHECKS) $(UNIT_TESTS) $(SCENARIO_TESTS) $(SIM_TESTS) $(BATS_TESTS)
endif

TEST_EXTENSIONS = .bats .sh
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
AM_LOG_DRIVER_FLAGS =
# bats prints what failed; its exit status only repeats it.
BATS_LOG_DRIVER = $(LOG_DRIVER)
AM_BATS_LOG_DRIVER_FLAGS = --ignore-exit --comments
BATS_LOG_COMPILER = $(BATS)
AM_BATS_LOG_FLAGS = --tap
SH_LOG_DRIVER = $(LOG_DRIVER)
AM_SH_LOG_DRIVER_FLAGS = --comments
SH_LOG_COMPILER = $(SHELL)

AM_TESTS_ENVIRONMENT = \
    PATH='$(abs_top_builddir)':"$$PATH"; export PATH; \
    CMOCKA_MESSAGE_OUTPUT=TAP; export CMOCKA_MESSAGE_OUTPUT; \
    top_srcdir='$(abs_top_srcdir)'; export top_srcdir; \
    top_builddir='$(abs_top_builddir)'; export top_builddir; \
    PURE_ARCHIVES='$(PURE_ARCHIVES)'; export PURE_ARCHIVES; \
    NM='$(NM)'; export NM; CC='$(CC)'; export CC; \
    INSTRUMENT_CFLAGS='$(INSTRUMENT_CFLAGS)'; export INSTRUMENT_CFLAGS; \
    UBSAN_OPTIONS=print_stacktrace=1; export UBSAN_OPTIONS;

# Runs the simulator from a new seed on until a run fails or somebody stops it.
.PHONY: soak
soak: vstamp-sim
	./vstamp-sim --seeds "$$(date +%s)000-" --until-failure

# Shows that the simulator misses none of the rules: see the table's head.
EXTRA_DIST += %D%/mutants/mutants.sh %D%/mutants/table
.PHONY: mutants
mutants: vstamp-sim %D%/libcluster.la %D%/libshared.la
	CC='$(CC)' CPPFLAGS='$(CPPFLAGS)' CFLAGS='$(CFLAGS)' LIBS='$(XXHASH_LIBS)' \
	    STORY_LIBS='$(CMOCKA_LIBS)' \
	    bash $(srcdir)/%D%/mutants/mutants.sh $(srcdir)/%D%/mutants/table $(srcdir) . \
	    mutants.tmp $(MUTANTS)

# Says what is missing instead of passing nothing.
check-local:
	@if test -n "$(MISSING_FOR_CHECK)"; then \
	    echo "make check needs: apt-get install $(MISSING_FOR_CHECK); then configure again" >&2; \
	    exit 1; \
	fi

# Only the tests inside one process: for builds with instruments that make real time meaningless.
.PHONY: check-core
check-core:
	$(MAKE) $(AM_MAKEFLAGS) check TESTS="$(UNIT_TESTS) $(SCENARIO_TESTS) $(FUZZ_TESTS) $(SIM_TESTS)"

# Measurements: vstamp, other stores and the physical floor under one load; see HACKING.md.  What
# needs no library beyond ours is built by make check, so that it does not rot; for the rest,
# libnghttp2-dev and libraft-dev, the script asks when it runs.
COMPARE_NEEDS = \
    %D%/bench/load_raft \
    %D%/bench/load_redis \
    %D%/bench/load_relay \
    %D%/bench/done_app \
    %D%/bench/load_vstamp \
    %D%/bench/load_zookeeper \
    %D%/bench/relay
LOAD_FILES = %D%/bench/load.c %D%/bench/load.h
check_PROGRAMS += $(COMPARE_NEEDS)
EXTRA_PROGRAMS = %D%/bench/load_etcd %D%/bench/raft_server
CLEANFILES += $(EXTRA_PROGRAMS)
%C%_bench_load_etcd_SOURCES = $(LOAD_FILES) %D%/bench/load_etcd.c
%C%_bench_load_etcd_LDADD = $(CORE_LIBS) -lnghttp2
%C%_bench_load_raft_SOURCES = $(LOAD_FILES) %D%/bench/load_raft.c %D%/bench/raft_server.h
%C%_bench_load_raft_LDADD = $(CORE_LIBS)
%C%_bench_load_redis_SOURCES = $(LOAD_FILES) %D%/bench/load_redis.c
%C%_bench_load_redis_LDADD = $(CORE_LIBS)
%C%_bench_load_relay_SOURCES = \
    $(LOAD_FILES) \
    %D%/bench/load_relay.c \
    %D%/bench/relay.h \
    %D%/bench/relay_sizes.c
%C%_bench_load_relay_LDADD = $(KV_LIBS) $(CORE_LIBS)
%C%_bench_done_app_SOURCES = %D%/bench/done_app.c
%C%_bench_done_app_LDADD =
%C%_bench_load_vstamp_SOURCES = $(LOAD_FILES) %D%/bench/load_vstamp.c
%C%_bench_load_vstamp_LDADD = $(KV_LIBS) $(CORE_LIBS)
%C%_bench_load_zookeeper_SOURCES = $(LOAD_FILES) %D%/bench/load_zookeeper.c
%C%_bench_load_zookeeper_LDADD = $(CORE_LIBS)
%C%_bench_raft_server_SOURCES = %D%/bench/raft_server.c %D%/bench/raft_server.h
%C%_bench_raft_server_LDADD = -lraft $(UV_LIBS)
%C%_bench_relay_SOURCES = %D%/bench/relay.c %D%/bench/relay.h %D%/bench/relay_sizes.c
%C%_bench_relay_LDADD = $(KV_LIBS) $(CORE_LIBS)
EXTRA_DIST += %D%/bench/app_exec.sh %D%/bench/done_app.py
EXTRA_DIST += %D%/bench/compare.sh %D%/bench/scale.sh %D%/bench/stores.bash %D%/bench/table.awk
.PHONY: bench compare scale
bench: all $(COMPARE_NEEDS)
	bash $(srcdir)/%D%/bench/compare.sh $(abs_top_builddir) \
	    --only vstamp,floor --modes memory --clients 1 --gets '' --kills 0
compare: all $(COMPARE_NEEDS)
	bash $(srcdir)/%D%/bench/compare.sh $(abs_top_builddir) $(COMPARE)
scale: all %D%/bench/load_vstamp
	bash $(srcdir)/%D%/bench/scale.sh $(abs_top_builddir) $(SCALE)

# Real daemons under real faults; see the script.  A short run of it is in make check.
CHAOS_NEEDS = %D%/chaos/load %D%/chaos/verdict %D%/chaos/net_switch %D%/chaos/disk_faults.la
check_PROGRAMS += %D%/chaos/load %D%/chaos/verdict %D%/chaos/net_switch
%C%_chaos_load_SOURCES = %D%/chaos/asking.c %D%/chaos/load.c %D%/chaos/load.h
%C%_chaos_load_LDADD = $(CLIENT_LIBS) $(KV_LIBS) $(PROGRAM_LIBS) $(CORE_LIBS)
%C%_chaos_verdict_SOURCES = %D%/chaos/verdict.c
%C%_chaos_verdict_LDADD = $(SIM_LIBS) $(KV_LIBS) $(CORE_LIBS)
%C%_chaos_net_switch_SOURCES = %D%/chaos/net_switch.c
%C%_chaos_net_switch_LDADD = $(CORE_LIBS)
check_LTLIBRARIES += %D%/chaos/disk_faults.la
%C%_chaos_disk_faults_la_SOURCES = %D%/chaos/disk_faults.c
%C%_chaos_disk_faults_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -rpath /nowhere
EXTRA_DIST += %D%/chaos/chaos.sh %D%/chaos/count.sh %D%/chaos/members.bash
.PHONY: chaos
chaos: all $(CHAOS_NEEDS)
	bash $(srcdir)/%D%/chaos/chaos.sh $(abs_top_builddir)

# A group of three real processes, from nothing to a fail-over; see the script.
.PHONY: demo
demo: all
	bash $(srcdir)/%D%/demo.sh $(abs_top_builddir)

# Searches a model of view change and recovery with spin; see the model's head.
EXTRA_DIST += %D%/model/check-model.sh %D%/model/recovery.pml
.PHONY: model
model:
	CC='$(CC)' $(SHELL) $(srcdir)/%D%/model/check-model.sh $(srcdir)/%D%/model/recovery.pml model.tmp
clean-local:
	rm -rf model.tmp mutants.tmp
