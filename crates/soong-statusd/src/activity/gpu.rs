//! GPU load through NVML, which is loaded at run time.
//!
//! A driver whose GPU has failed can block a call forever. So the calls are made in a thread of
//! their own; if it falls silent, the load is unknown, and leases are kept all the same.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::{Sampling, TemperatureSensor};
use nvml_wrapper::enums::device::SampleValue;
use nvml_wrapper::error::NvmlError;
use serde::Serialize;

use super::Load;

/// A GPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gpu {
    /// Its number.
    pub index: u32,
    /// Its model.
    pub name: String,
    /// Percent of time in which it computed; `None` if unknown.
    pub utilization: Option<u8>,
    /// Used memory, in bytes.
    pub memory_used: Option<u64>,
    /// All memory, in bytes.
    pub memory_total: Option<u64>,
    /// Degrees Celsius.
    pub temperature: Option<u32>,
    /// Watts.
    pub power: Option<u32>,
    /// The highest load of a single process since the last look, in percent.
    #[serde(skip)]
    pub process_peak: Option<u8>,
    /// The highest utilization since the last look, in percent.
    #[serde(skip)]
    pub peak: Option<u8>,
}

/// A source of GPU readings.
pub trait Driver {
    /// Reads all GPUs; the error says why they are unknown.
    fn read(&mut self) -> Result<Vec<Gpu>, String>;
}

/// NVIDIA's management library.
#[derive(Default)]
pub struct NvidiaDriver {
    library: Option<Nvml>,
    /// By GPU, the time stamps of the newest samples that were read: of the GPU, of processes.
    seen: HashMap<u32, (u64, u64)>,
}

impl Driver for NvidiaDriver {
    fn read(&mut self) -> Result<Vec<Gpu>, String> {
        if self.library.is_none() {
            self.library = Some(load_library()?);
        }
        let result = match &self.library {
            Some(library) => read_all(library, &mut self.seen),
            None => Err("no NVIDIA driver".into()),
        };
        if result.is_err() {
            // A driver that was replaced or reset wants to be loaded again.
            self.library = None;
        }
        result
    }
}

/// The library's name without and with the development files.
const LIBRARIES: [&str; 2] = ["libnvidia-ml.so.1", "libnvidia-ml.so"];

fn load_library() -> Result<Nvml, String> {
    if cfg!(target_feature = "crt-static") {
        return Err("a static soong-statusd cannot load NVIDIA's library".into());
    }
    let mut reason = String::new();
    for name in LIBRARIES {
        match Nvml::builder().lib_path(OsStr::new(name)).init() {
            Ok(library) => return Ok(library),
            // The loader's words name files that are not there, which is what "no driver" means.
            Err(NvmlError::LibloadingError(_)) => reason = "no NVIDIA driver".into(),
            Err(error) => reason = format!("the NVIDIA driver does not answer: {error}"),
        }
    }
    Err(reason)
}

fn read_all(library: &Nvml, seen: &mut HashMap<u32, (u64, u64)>) -> Result<Vec<Gpu>, String> {
    let count = library.device_count().map_err(|error| error.to_string())?;
    if count == 0 {
        return Err("the NVIDIA driver finds no GPU".into());
    }
    (0..count).map(|index| read_one(library, index, seen.entry(index).or_default())).collect()
}

fn read_one(library: &Nvml, index: u32, seen: &mut (u64, u64)) -> Result<Gpu, String> {
    let device = library.device_by_index(index).map_err(|error| format!("GPU {index}: {error}"))?;
    let utilization = device.utilization_rates().ok().and_then(|rates| percent(rates.gpu.into()));
    let memory = device.memory_info().ok();
    let samples =
        device.samples(Sampling::GpuUtilization, (seen.0 > 0).then_some(seen.0)).unwrap_or_default();
    let newest = samples.iter().map(|sample| sample.timestamp).max().unwrap_or(seen.0);
    let peak =
        samples.iter().filter(|sample| sample.timestamp > seen.0).filter_map(|it| value(&it.value)).max();
    seen.0 = newest;
    let processes = device.process_utilization_stats((seen.1 > 0).then_some(seen.1)).unwrap_or_default();
    let newest = processes.iter().map(|sample| sample.timestamp).max().unwrap_or(seen.1);
    let loads = processes.iter().filter(|sample| sample.timestamp > seen.1);
    let process_peak = loads.filter_map(|sample| percent(sample.sm_util.into())).max();
    seen.1 = newest;
    Ok(Gpu {
        index,
        name: device.name().unwrap_or_default(),
        utilization,
        memory_used: memory.as_ref().map(|memory| memory.used),
        memory_total: memory.as_ref().map(|memory| memory.total),
        temperature: device.temperature(TemperatureSensor::Gpu).ok(),
        power: device.power_usage().ok().map(|milliwatts| milliwatts / 1000),
        process_peak,
        peak: peak.max(utilization),
    })
}

fn value(value: &SampleValue) -> Option<u8> {
    match value {
        SampleValue::U32(number) => percent((*number).into()),
        SampleValue::U64(number) => percent(*number),
        _ => None,
    }
}

fn percent(number: u64) -> Option<u8> {
    u8::try_from(number).ok().filter(|number| *number <= 100)
}

/// The load that `reading` means: GPUs above `threshold` percent are busy.
pub fn load(reading: &Result<Vec<Gpu>, String>, threshold: u8) -> Load {
    let gpus = match reading {
        Ok(gpus) => gpus,
        Err(reason) => return Load::Unknown(reason.clone()),
    };
    let highest = |gpu: &Gpu| gpu.peak.max(gpu.process_peak).max(gpu.utilization);
    let busiest = gpus.iter().filter_map(|gpu| highest(gpu).map(|load| (load, gpu.index))).max();
    match busiest {
        Some((load, index)) if load > threshold => Load::Busy(format!("GPU {index} at {load} %")),
        _ => match gpus.iter().find(|gpu| highest(gpu).is_none()) {
            Some(gpu) => Load::Unknown(format!("the driver reports no load of GPU {}", gpu.index)),
            None => Load::Quiet,
        },
    }
}

/// The newest reading of a driver that a thread keeps asking.
#[derive(Clone)]
pub struct Monitor {
    latest: Arc<Mutex<Latest>>,
}

struct Latest {
    /// False until the driver has answered for the first time.
    is_known: bool,
    taken: Instant,
    reading: Result<Vec<Gpu>, String>,
}

/// How long the driver may take to answer.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How long to wait for its first answer, for which it loads the library.
const FIRST_ANSWER_MAX: Duration = Duration::from_secs(10);

impl Monitor {
    /// Starts a thread that asks `driver` every `interval`.
    pub fn start<D: Driver + Send + 'static>(mut driver: D, interval: Duration) -> std::io::Result<Self> {
        let latest =
            Latest { is_known: false, taken: Instant::now(), reading: Err("not looked at yet".into()) };
        let latest = Arc::new(Mutex::new(latest));
        let shared = Arc::clone(&latest);
        thread::Builder::new().name("gpu".into()).spawn(move || {
            loop {
                let reading = driver.read();
                shared.lock().unwrap_or_else(PoisonError::into_inner).accept(reading);
                thread::sleep(interval);
            }
        })?;
        Ok(Self { latest })
    }

    /// Waits until the driver has answered, but not for long. An unknown load counts as use, so that a
    /// look before the first answer would forget how long the machine has been idle.
    pub async fn wait_for_first(&self) {
        const PAUSE: Duration = Duration::from_millis(20);
        let end = Instant::now() + FIRST_ANSWER_MAX;
        while !self.is_known() && Instant::now() < end {
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn is_known(&self) -> bool {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).is_known
    }

    /// The newest reading. Peaks are those since the last call.
    pub fn take(&self) -> Result<Vec<Gpu>, String> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        latest.take(Instant::now())
    }
}

impl Latest {
    /// Replaces the reading, keeping peaks that were not yet taken.
    fn accept(&mut self, reading: Result<Vec<Gpu>, String>) {
        let before = std::mem::replace(&mut self.reading, reading);
        self.is_known = true;
        self.taken = Instant::now();
        if let (Ok(before), Ok(gpus)) = (before, &mut self.reading) {
            for gpu in gpus {
                if let Some(old) = before.iter().find(|old| old.index == gpu.index) {
                    gpu.peak = gpu.peak.max(old.peak);
                    gpu.process_peak = gpu.process_peak.max(old.process_peak);
                }
            }
        }
    }

    fn take(&mut self, now: Instant) -> Result<Vec<Gpu>, String> {
        if now.saturating_duration_since(self.taken) > SILENCE_MAX {
            return Err(format!("the driver has not answered for {} s", SILENCE_MAX.as_secs()));
        }
        let reading = self.reading.clone();
        for gpu in self.reading.iter_mut().flatten() {
            (gpu.peak, gpu.process_peak) = (None, None);
        }
        reading
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn gpu(index: u32, utilization: Option<u8>, peak: Option<u8>, process_peak: Option<u8>) -> Gpu {
        Gpu {
            index,
            name: "H100".into(),
            utilization,
            memory_used: Some(1),
            memory_total: Some(2),
            temperature: Some(30),
            power: Some(70),
            process_peak,
            peak,
        }
    }

    #[test]
    fn a_gpu_above_the_threshold_is_busy_and_an_unknown_one_is_unknown() {
        let is = |gpus: Vec<Gpu>| load(&Ok(gpus), 5);
        assert_eq!(is(vec![gpu(0, Some(5), Some(5), None)]), Load::Quiet);
        assert_eq!(is(vec![gpu(0, Some(0), Some(6), None)]), Load::Busy("GPU 0 at 6 %".into()));
        assert_eq!(is(vec![gpu(0, Some(0), Some(0), Some(40))]), Load::Busy("GPU 0 at 40 %".into()));
        assert_eq!(
            is(vec![gpu(0, Some(9), None, None), gpu(1, Some(80), None, None)]),
            Load::Busy("GPU 1 at 80 %".into())
        );
        let unknown = Load::Unknown("the driver reports no load of GPU 1".into());
        assert_eq!(is(vec![gpu(0, Some(0), None, None), gpu(1, None, None, None)]), unknown);
        assert_eq!(load(&Err("no driver".into()), 5), Load::Unknown("no driver".into()));
    }

    #[test]
    fn a_peak_is_kept_until_it_is_taken_and_silence_is_unknown() {
        let mut latest = Latest {
            is_known: true,
            taken: Instant::now(),
            reading: Ok(vec![gpu(0, Some(0), Some(90), None)]),
        };
        latest.accept(Ok(vec![gpu(0, Some(1), Some(1), Some(2))]));
        let now = Instant::now();
        assert_eq!(latest.take(now).unwrap()[0].peak, Some(90));
        assert_eq!(latest.take(now).unwrap()[0].peak, None);
        let reason = latest.take(now + SILENCE_MAX + Duration::from_secs(1)).unwrap_err();
        assert!(reason.contains("has not answered"), "{reason}");
    }

    #[test]
    fn a_thread_asks_the_driver_and_one_that_hangs_blocks_nobody() {
        struct Scripted(mpsc::Receiver<Result<Vec<Gpu>, String>>);
        impl Driver for Scripted {
            fn read(&mut self) -> Result<Vec<Gpu>, String> {
                self.0.recv().unwrap_or_else(|_| Err("over".into()))
            }
        }
        let (sender, receiver) = mpsc::channel();
        let monitor = Monitor::start(Scripted(receiver), Duration::from_millis(1)).unwrap();
        assert!(monitor.take().unwrap_err().contains("not looked at"));
        sender.send(Ok(vec![gpu(0, Some(7), Some(7), None)])).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(monitor.wait_for_first());
        assert_eq!(monitor.take().unwrap()[0].utilization, Some(7));
    }

    #[test]
    fn without_a_driver_the_load_is_unknown() {
        // On a machine with a GPU, its load is read instead.
        match NvidiaDriver::default().read() {
            Ok(gpus) => assert!(!gpus.is_empty()),
            Err(reason) => assert!(reason.contains("NVIDIA"), "{reason}"),
        }
    }
}
