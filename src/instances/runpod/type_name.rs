//! Types of machines: RunPod has types of GPUs, of which a pod takes some. `2x NVIDIA L40S` is two of them.

/// Numbers of GPUs that are offered.
pub(super) const COUNTS: [u32; 4] = [1, 2, 4, 8];

/// Returns the type of a machine with `count` GPUs.
pub(super) fn join(count: u32, gpu: &str) -> String {
    format!("{count}x {gpu}")
}

/// Returns number and type of the GPUs of a machine.
pub(super) fn split(type_name: &str) -> Option<(u32, &str)> {
    let (count, gpu) = type_name.split_once("x ")?;
    let count = count.parse().ok().filter(|count| *count > 0)?;
    (!gpu.is_empty()).then_some((count, gpu))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_read_as_it_was_written() {
        assert_eq!(join(2, "NVIDIA L40S"), "2x NVIDIA L40S");
        for count in COUNTS {
            assert_eq!(split(&join(count, "NVIDIA RTX 6000 Ada")), Some((count, "NVIDIA RTX 6000 Ada")));
        }
        for text in ["", "NVIDIA L40S", "0x NVIDIA L40S", "-1x a", "x a", "1x ", "two x a"] {
            assert_eq!(split(text), None, "{text}");
        }
    }
}
