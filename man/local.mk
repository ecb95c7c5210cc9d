# SPDX-License-Identifier: BSD-2-Clause
dist_man_MANS += \
    %D%/vstamp-admin.8 \
    %D%/vstamp-app-exec.5 \
    %D%/vstamp-app.3 \
    %D%/vstamp-client.3 \
    %D%/vstamp-config.5 \
    %D%/vstamp-format.5 \
    %D%/vstamp-kv.3 \
    %D%/vstamp-replica.3 \
    %D%/vstamp-replica.8 \
    %D%/vstamp-sim.1 \
    %D%/vstamp.1 \
    %D%/vstamp.7

# The lists in vstamp-protocol(7) come from the tables of the programs, its version from theirs.
man_MANS = %D%/vstamp-protocol.7
noinst_PROGRAMS += %D%/print_messages
%C%_print_messages_SOURCES = %D%/print_messages.c
%C%_print_messages_LDADD = $(CORE_LIBS)
protocol_version = lib/wire/version.h
%D%/vstamp-protocol.7: %D%/vstamp-protocol.7.in %D%/print_messages$(EXEEXT) $(protocol_version)
	$(AM_V_GEN)page=$(srcdir)/%D%/vstamp-protocol.7.in && \
	version=`$(SED) -n 's/^.define WIRE_NEWEST //p' $(srcdir)/$(protocol_version)` && { \
	    $(SED) "/^@LISTS@/,\$$d; s/@WIRE_NEWEST@/$${version%u}/" $$page && \
	    %D%/print_messages$(EXEEXT) && \
	    $(SED) '1,/^@LISTS@/d' $$page; } >$@.tmp && mv $@.tmp $@
EXTRA_DIST += %D%/vstamp-protocol.7.in
CLEANFILES += %D%/vstamp-protocol.7

# Each public function has a page of its name, too: a link to the one that tells of it.
for_each_function = for header in app client error kv replica; do \
    case $$header in error) page=vstamp-app ;; *) page=vstamp-$$header ;; esac; \
    for function in `$(SED) -n 's/^VSTAMP_API .*[ *]\(vstamp_[a-z_]*\)(.*/\1/p' \
        $(abs_top_srcdir)/lib/include/vstamp/$$header.h`; do
install-data-hook:
	@cd $(DESTDIR)$(man3dir) && $(for_each_function) ln -sf $$page.3 $$function.3 || exit 1; done; done
uninstall-hook:
	@$(for_each_function) rm -f $(DESTDIR)$(man3dir)/$$function.3; done; done
