# SPDX-License-Identifier: BSD-2-Clause
# Programs that use libvstamp as others do: the installed headers and the library, nothing else.
check_PROGRAMS += %D%/increments
%C%_increments_SOURCES = %D%/increments.c
%C%_increments_LDADD = libvstamp.la
