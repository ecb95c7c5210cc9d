# SPDX-License-Identifier: BSD-2-Clause
dist_man_MANS += \
    %D%/vstamp.7
