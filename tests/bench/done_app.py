#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""As done_app.c, in Python."""
import sys

requests, answers = sys.stdin.buffer, sys.stdout.buffer
for line in requests:
    words = line.split()
    if words[0] == b"hello":
        answers.write(b"hello 1 done\n")
    elif words[0] == b"save":
        answers.write(b"state %s 0\n\n" % words[1])
    else:
        requests.read(int(words[-1]) + 1)
        answers.write(b"answer %s 1\n\0\n" % words[1])
    answers.flush()
