# SPDX-License-Identifier: BSD-2-Clause
dist_man_MANS += \
    %D%/vstamp-admin.8 \
    %D%/vstamp-config.5 \
    %D%/vstamp-replica.8 \
    %D%/vstamp.7
