# SPDX-License-Identifier: BSD-2-Clause
# lib/string.c defines memcpy() and similar functions: gcc must not turn their loops into calls of themselves.
KCFLAGS_lib/string.c := -fno-tree-loop-distribute-patterns -fno-builtin
