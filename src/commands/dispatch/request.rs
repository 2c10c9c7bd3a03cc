//! Requests of `soong` to `soong-ext`, in its first argument.

use std::ffi::CStr;

pub(super) const OVERVIEW: &CStr = c"--for-soong-overview";
pub(super) const LIST: &CStr = c"--for-soong-list";
pub(super) const UNKNOWN: &CStr = c"--for-soong-unknown";
pub(super) const EXPLAIN: &CStr = c"--for-soong-explain";
