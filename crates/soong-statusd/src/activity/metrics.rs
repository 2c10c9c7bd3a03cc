//! The metrics pages of SGLang and vLLM, in the text format of Prometheus.

/// Counters of a metrics page.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Work {
    /// Requests that run.
    pub running: f64,
    /// Requests that wait.
    pub waiting: f64,
    /// Tokens read and generated since the server started.
    pub tokens: f64,
}

const RUNNING: [&str; 2] = ["sglang:num_running_reqs", "vllm:num_requests_running"];
const WAITING: [&str; 2] = ["sglang:num_queue_reqs", "vllm:num_requests_waiting"];
const TOKENS: [&str; 4] = [
    "sglang:generation_tokens_total",
    "sglang:prompt_tokens_total",
    "vllm:generation_tokens_total",
    "vllm:prompt_tokens_total",
];

/// Reads a page, adding up the samples of all models and workers. `None` if it does not count
/// running requests, so is not the page of such a server.
pub fn read(page: &str) -> Option<Work> {
    let mut work = Work::default();
    let mut is_known = false;
    for (name, number) in page.lines().filter_map(sample) {
        let slot = if RUNNING.contains(&name) {
            is_known = true;
            &mut work.running
        } else if WAITING.contains(&name) {
            &mut work.waiting
        } else if TOKENS.contains(&name) {
            &mut work.tokens
        } else {
            continue;
        };
        *slot += number;
    }
    is_known.then_some(work)
}

/// Name and number of a sample line: `name{label="value",…} number [timestamp]`. Negative and
/// infinite numbers count nothing.
fn sample(line: &str) -> Option<(&str, f64)> {
    if line.starts_with('#') {
        return None;
    }
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, rest) = line.split_at(end);
    let rest = if rest.starts_with('{') { &rest[end_of_labels(rest)?..] } else { rest };
    let number: f64 = rest.split_whitespace().next()?.parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some((name, number))
}

/// Where the labels, which may hold quoted braces, end.
fn end_of_labels(text: &str) -> Option<usize> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (index, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            '}' if !is_quoted => return Some(index + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shape of SGLang's page, with a model name that tries to confuse the reader.
    const SGLANG: &str = r#"# HELP sglang:num_running_reqs The number of running requests.
# TYPE sglang:num_running_reqs gauge
sglang:num_running_reqs{engine_type="unified",model_name="q} \"wen\"",pp_rank="0",tp_rank="0"} 2.0
sglang:num_running_reqs{engine_type="unified",model_name="qwen",pp_rank="0",tp_rank="1"} 1.0
# TYPE sglang:num_queue_reqs gauge
sglang:num_queue_reqs{model_name="qwen"} 4.0
# TYPE sglang:prompt_tokens_total counter
sglang:prompt_tokens_total{model_name="qwen"} 8128902.0
# TYPE sglang:generation_tokens_total counter
sglang:generation_tokens_total{model_name="qwen"} 7557572.0
sglang:gen_throughput{model_name="qwen"} 86.5
sglang:time_to_first_token_seconds_bucket{le="+Inf",model_name="qwen"} 11008.0
"#;

    /// The shape of vLLM's page.
    const VLLM: &str = r#"# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="meta-llama/Llama-3.1-8B"} 0.0
vllm:num_requests_waiting{engine="0",model_name="meta-llama/Llama-3.1-8B"} 0.0
vllm:prompt_tokens_total{engine="0",model_name="meta-llama/Llama-3.1-8B"} 12.0
vllm:prompt_tokens_created{engine="0",model_name="meta-llama/Llama-3.1-8B"} 1.73e+09
vllm:generation_tokens_total{engine="0",model_name="meta-llama/Llama-3.1-8B"} 1e+02 1700000000000
"#;

    #[test]
    fn the_pages_of_both_servers_are_read() {
        assert_eq!(read(SGLANG), Some(Work { running: 3.0, waiting: 4.0, tokens: 15_686_474.0 }));
        assert_eq!(read(VLLM), Some(Work { running: 0.0, waiting: 0.0, tokens: 112.0 }));
    }

    #[test]
    fn other_pages_say_nothing() {
        for page in
            ["", "<html>", "up 1\n", "vllm:num_requests_running{ 1\n", "vllm:num_requests_running NaN\n"]
        {
            assert_eq!(read(page), None, "{page}");
        }
        let odd =
            "vllm:num_requests_running 0\nvllm:num_requests_waiting -1\nvllm:prompt_tokens_total +Inf\n";
        assert_eq!(read(odd), Some(Work::default()));
    }
}
