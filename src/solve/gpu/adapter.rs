//! Which adapters there are, and which one is used.

use std::fmt;
use std::path::Path;

use super::device::Device;
use super::given::{Given, given};

/// Which adapter to open.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AdapterChoice {
    /// The best graphics processor: one that the scheduler gave this process before others, a discrete one before an integrated one, never a software adapter.
    #[default]
    Hardware,
    /// The same, and a software adapter where there is nothing else: for tests of correctness.
    Any,
    /// By its position in [`adapters`].
    Index(usize),
    /// By a part of its name, letters of either case; software adapters included.
    Named(String),
}

impl AdapterChoice {
    /// Reads what a user typed: a position or a part of a name.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.parse() {
            Ok(index) => Self::Index(index),
            Err(_) => Self::Named(text.to_owned()),
        }
    }
}

/// What kind of thing an adapter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdapterKind {
    /// A graphics card.
    Discrete,
    /// A graphics processor that shares its memory with the processor.
    Integrated,
    /// A part of a graphics card, in a virtual machine.
    Virtual,
    /// The driver does not say.
    Unknown,
    /// The processor itself: right, and slower than the cpu backend by orders of magnitude.
    Software,
}

impl AdapterKind {
    fn of(kind: wgpu::DeviceType) -> Self {
        match kind {
            wgpu::DeviceType::DiscreteGpu => Self::Discrete,
            wgpu::DeviceType::IntegratedGpu => Self::Integrated,
            wgpu::DeviceType::VirtualGpu => Self::Virtual,
            wgpu::DeviceType::Other => Self::Unknown,
            wgpu::DeviceType::Cpu => Self::Software,
        }
    }

    /// A word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Discrete => "discrete GPU",
            Self::Integrated => "integrated GPU",
            Self::Virtual => "virtual GPU",
            Self::Unknown => "unknown",
            Self::Software => "software",
        }
    }

    /// Order of preference.
    fn rank(self) -> usize {
        match self {
            Self::Discrete => 0,
            Self::Virtual => 1,
            Self::Integrated => 2,
            Self::Unknown => 3,
            Self::Software => 4,
        }
    }
}

/// What is known of an adapter before it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterSummary {
    /// Position in the list.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// What kind of thing it is.
    pub kind: AdapterKind,
    /// The interface it is driven through: vulkan, metal or dx12.
    pub interface: String,
    /// The driver's name and version.
    pub driver: String,
    /// Largest buffer, in bytes.
    pub max_buffer_bytes: u64,
    /// Largest part of a buffer that a shader can see, in bytes.
    pub max_binding_bytes: u64,
    /// Memory that a workgroup shares, in bytes.
    pub workgroup_bytes: u32,
    /// Whether shaders have 64-bit integers, which doubles the speed of the random numbers.
    pub int64: bool,
    /// Whether passes can be timed on the device.
    pub timestamps: bool,
    /// Place on the PCI bus, like `0000:3b:00.0`; empty where the driver does not say.
    pub place: String,
}

impl AdapterSummary {
    pub(super) fn of(index: usize, adapter: &wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        let limits = adapter.limits();
        let features = adapter.features();
        Self {
            index,
            place: info.device_pci_bus_id,
            name: info.name,
            kind: AdapterKind::of(info.device_type),
            interface: info.backend.to_string(),
            driver: format!("{} {}", info.driver, info.driver_info)
                .trim()
                .to_owned(),
            max_buffer_bytes: limits.max_buffer_size,
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            workgroup_bytes: limits.max_compute_workgroup_storage_size,
            int64: features.contains(wgpu::Features::SHADER_INT64),
            timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
        }
    }
}

/// Name, driver and interface: what a manifest says.
impl fmt::Display for AdapterSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, kind) = (&self.name, self.kind.name());
        write!(
            f,
            "{name} ({kind}, {}, driver {})",
            self.interface, self.driver
        )
    }
}

/// Why no device could be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// No adapter at all.
    #[error(
        "no graphics adapter was found: install the graphics driver's Vulkan part and the loader (on Debian and Ubuntu \
         `libvulkan1` and `nvidia-driver` or `mesa-vulkan-drivers`)"
    )]
    None,
    /// Only software adapters.
    #[error(
        "no graphics processor was found, only the software adapter {name:?}, which is far slower than `--backend cpu`: \
         install the graphics driver's Vulkan part, or choose it all the same with `--adapter {index}`"
    )]
    OnlySoftware {
        /// Its name.
        name: String,
        /// Its position.
        index: usize,
    },
    /// None by this name or position.
    #[error("there is no adapter {wanted:?}; there are: {found}")]
    NotFound {
        /// What was asked for.
        wanted: String,
        /// What there is.
        found: String,
    },
    /// It is there, but does not open.
    #[error("the adapter {adapter} cannot be used: {problem}")]
    Unusable {
        /// Its name and driver.
        adapter: String,
        /// What is wrong.
        problem: String,
    },
}

fn instance() -> wgpu::Instance {
    wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12,
        // No validation layers: they belong to a developer's environment, and print.
        flags: wgpu::InstanceFlags::empty(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    })
}

fn enumerate() -> Vec<(AdapterSummary, wgpu::Adapter)> {
    let all = pollster::block_on(instance().enumerate_adapters(wgpu::Backends::all()));
    let numbered = all.into_iter().enumerate();
    numbered
        .map(|(index, adapter)| (AdapterSummary::of(index, &adapter), adapter))
        .collect()
}

/// All adapters of this machine.
#[must_use]
pub fn adapters() -> Vec<AdapterSummary> {
    enumerate()
        .into_iter()
        .map(|(summary, _)| summary)
        .collect()
}

/// What a scheduler said about this process.
fn given_here() -> Option<Given> {
    given(Path::new("/"), |name| std::env::var(name).ok())
}

/// Whether an adapter is one that the scheduler gave this process, and the variable that says so; `None` where nothing is known.
#[must_use]
pub fn given_adapter(adapter: &AdapterSummary) -> Option<(bool, &'static str)> {
    let given = given_here().filter(|_| !adapter.place.is_empty())?;
    Some((given.has(&adapter.place), given.variable))
}

/// Position of the adapter that `choice` means, where the scheduler `given` some.
fn choose(
    all: &[AdapterSummary],
    choice: &AdapterChoice,
    given: Option<&Given>,
) -> Result<usize, GpuError> {
    let is_given = |a: &AdapterSummary| given.is_some_and(|given| given.has(&a.place));
    let best = all
        .iter()
        .min_by_key(|a| (!is_given(a), a.kind.rank(), a.index))
        .ok_or(GpuError::None)?;
    let found = match choice {
        AdapterChoice::Any => Some(best.index),
        AdapterChoice::Hardware if best.kind == AdapterKind::Software => {
            let (name, index) = (best.name.clone(), best.index);
            return Err(GpuError::OnlySoftware { name, index });
        }
        AdapterChoice::Hardware => Some(best.index),
        AdapterChoice::Index(index) => (*index < all.len()).then_some(*index),
        AdapterChoice::Named(name) => {
            let part = name.to_lowercase();
            let named = all.iter().find(|a| a.name.to_lowercase().contains(&part));
            named.map(|a| a.index)
        }
    };
    found.ok_or_else(|| GpuError::NotFound {
        wanted: match choice {
            AdapterChoice::Index(index) => index.to_string(),
            AdapterChoice::Named(name) => name.clone(),
            AdapterChoice::Any | AdapterChoice::Hardware => String::new(),
        },
        found: all
            .iter()
            .map(|a| format!("{} {:?}", a.index, a.name))
            .collect::<Vec<_>>()
            .join(", "),
    })
}

/// Whether there is any sign of a graphics processor: asked before its drivers are loaded, which takes a tenth of a second, and
/// some of which print. Where it cannot be told, there may be one.
#[must_use]
pub fn hardware_is_likely() -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    let devices = [
        "/dev/dri",
        "/dev/nvidia0",
        "/dev/nvidiactl",
        "/dev/dxg",
        "/dev/kgsl-3d0",
        "/dev/mali0",
    ];
    devices
        .iter()
        .any(|path| std::path::Path::new(path).exists())
}

/// Opens the adapter that `choice` means.
pub(super) fn open(choice: &AdapterChoice) -> Result<Device, GpuError> {
    let mut all = enumerate();
    let summaries: Vec<_> = all.iter().map(|(summary, _)| summary.clone()).collect();
    let index = choose(&summaries, choice, given_here().as_ref())?;
    let (summary, adapter) = all.swap_remove(index);
    Device::open(summary, &adapter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(all: &[AdapterSummary], choice: &AdapterChoice) -> Result<usize, GpuError> {
        super::choose(all, choice, None)
    }

    fn adapter(index: usize, name: &str, kind: AdapterKind) -> AdapterSummary {
        AdapterSummary {
            index,
            name: name.to_owned(),
            kind,
            interface: "vulkan".to_owned(),
            driver: "test 1".to_owned(),
            max_buffer_bytes: 0,
            max_binding_bytes: 0,
            workgroup_bytes: 0,
            int64: false,
            timestamps: false,
            place: String::new(),
        }
    }

    #[test]
    fn software_is_never_chosen_unasked() {
        let soft = adapter(0, "llvmpipe (LLVM)", AdapterKind::Software);
        let only = [soft.clone()];
        let refused = choose(&only, &AdapterChoice::Hardware).unwrap_err();
        assert!(refused.to_string().contains("--adapter 0"), "{refused}");
        assert_eq!(choose(&only, &AdapterChoice::Any), Ok(0));
        assert_eq!(choose(&only, &AdapterChoice::parse("LLVM")), Ok(0));
        assert_eq!(choose(&[], &AdapterChoice::Any), Err(GpuError::None));

        let small = adapter(1, "Integrated", AdapterKind::Integrated);
        let big = adapter(2, "NVIDIA H200", AdapterKind::Discrete);
        let all = [soft, small, big];
        assert_eq!(choose(&all, &AdapterChoice::Hardware), Ok(2));
        assert_eq!(choose(&all[..2], &AdapterChoice::Hardware), Ok(1));
        assert_eq!(choose(&all, &AdapterChoice::parse("1")), Ok(1));
        assert_eq!(choose(&all, &AdapterChoice::parse("nvidia")), Ok(2));
        let missing = choose(&all, &AdapterChoice::parse("Radeon")).unwrap_err();
        assert!(
            missing.to_string().contains("2 \"NVIDIA H200\""),
            "{missing}"
        );
        assert!(choose(&all, &AdapterChoice::Index(3)).is_err());
    }

    #[test]
    fn of_several_cards_the_one_that_the_scheduler_gave_is_used() {
        let card = |index, place: &str| AdapterSummary {
            place: place.to_owned(),
            ..adapter(index, "NVIDIA H100", AdapterKind::Discrete)
        };
        let all = [card(0, "0000:3b:00.0"), card(1, "0000:86:00.0")];
        let given = |place: &str| Given {
            variable: "SLURM_JOB_GPUS",
            places: vec![place.to_owned()],
        };
        let chosen =
            |place: &str| super::choose(&all, &AdapterChoice::Hardware, Some(&given(place)));
        assert_eq!(chosen("0000:86:00.0"), Ok(1));
        assert_eq!(chosen("0000:3b:00.0"), Ok(0));
        // One that Vulkan does not show: better the first than none.
        assert_eq!(chosen("0000:af:00.0"), Ok(0));
        let asked = super::choose(&all, &AdapterChoice::Index(0), Some(&given("0000:86:00.0")));
        assert_eq!(asked, Ok(0), "who asks for a number gets it");
    }
}
