/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Proves that the C compiler reads the headers that bindgen is to read. */
#include "wrapper.h"
