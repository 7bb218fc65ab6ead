/* SPDX-License-Identifier: BSD-2-Clause */
/* The image with the tests checks the order of locks unless lock_check=0 says otherwise. */
#include "kernel/lock_order.h"

bool lock_check = true;
