# SPDX-License-Identifier: BSD-2-Clause

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
