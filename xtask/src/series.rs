// SPDX-License-Identifier: GPL-2.0-or-later
//! The patch series as git sees it: a base repository and one worktree for each point.
