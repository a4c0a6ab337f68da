//! Why no graphics processor is seen: what Vulkan on Linux needs, one thing after another.
//!
//! Nothing is loaded and nothing is run: files are looked at and devices opened, so that it says something even where drivers crash.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What was found about one thing that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it is as it should be; `None` for what is neither good nor bad.
    pub good: Option<bool>,
    /// What was found.
    pub what: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl Finding {
    fn good(what: impl Into<String>) -> Self {
        let (good, what) = (Some(true), what.into());
        Self {
            good,
            what,
            advice: None,
        }
    }

    fn neutral(what: impl Into<String>) -> Self {
        let (good, what) = (None, what.into());
        Self {
            good,
            what,
            advice: None,
        }
    }

    fn bad(what: impl Into<String>, advice: impl Into<String>) -> Self {
        let (what, advice) = (what.into(), Some(advice.into()));
        Self {
            good: Some(false),
            what,
            advice,
        }
    }
}

/// Looks at this machine.
#[must_use]
pub fn diagnose() -> Vec<Finding> {
    if !cfg!(target_os = "linux") {
        return vec![Finding::neutral(
            "this is not Linux: the graphics interface (Metal, Direct3D 12) comes with the system and its drivers",
        )];
    }
    examine(Path::new("/"), &|name| std::env::var(name).ok())
}

/// Looks at a machine whose files are below `root`; `variable` reads an environment variable.
pub(super) fn examine(root: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Vec<Finding> {
    let mut findings = cards(root);
    findings.extend(nodes(root));
    findings.push(loader(root, variable));
    findings.extend(drivers(root, variable));
    findings.extend(versions(root));
    findings.extend(container(root, variable));
    findings.extend(scheduler(root, variable));
    findings
}

/// Names in a directory, sorted.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn read(path: &Path) -> String {
    fs::read_to_string(path)
        .unwrap_or_default()
        .trim()
        .to_owned()
}

/// Display controllers on the PCI bus, and their kernel drivers.
fn cards(root: &Path) -> Vec<Finding> {
    let bus = root.join("sys/bus/pci/devices");
    let mut findings = Vec::new();
    for place in names(&bus) {
        let device = bus.join(&place);
        // Class 03: VGA, 3D and other display controllers.
        if !read(&device.join("class")).starts_with("0x03") {
            continue;
        }
        let vendor = match read(&device.join("vendor")).as_str() {
            "0x10de" => "NVIDIA",
            "0x1002" => "AMD",
            "0x8086" => "Intel",
            _ => "another maker",
        };
        let driver = fs::read_link(device.join("driver")).ok();
        let driver = driver.and_then(|link| Some(link.file_name()?.to_string_lossy().into_owned()));
        findings.push(match driver {
            Some(driver) => Finding::good(format!("a graphics card of {vendor} at {place}, kernel driver {driver}")),
            None => Finding::bad(
                format!("a graphics card of {vendor} at {place} has no kernel driver"),
                "install the driver of the card, or load its module (modprobe nvidia, amdgpu or i915)",
            ),
        });
    }
    if findings.is_empty() {
        findings.push(Finding::neutral(
            "no graphics card is on the PCI bus, or this container does not show it",
        ));
    }
    findings
}

/// The files by which processes reach the card.
fn nodes(root: &Path) -> Vec<Finding> {
    let mut paths: Vec<String> = names(&root.join("dev/dri"))
        .into_iter()
        .filter(|name| name.starts_with("renderD"))
        .map(|name| format!("dev/dri/{name}"))
        .collect();
    let nvidia = names(&root.join("dev")).into_iter();
    paths.extend(
        nvidia
            .filter(|name| name.starts_with("nvidia") && !name.starts_with("nvidia-"))
            .map(|name| format!("dev/{name}")),
    );
    if paths.is_empty() {
        return vec![Finding::bad(
            "there is no /dev/dri/renderD* and no /dev/nvidia*: no process here can reach a graphics card",
            "start the container with the card (docker run --gpus all, or --device /dev/dri), ask Slurm for one (--gpus-per-task=1), or install the driver",
        )];
    }
    let each = paths
        .into_iter()
        .filter(|path| root.join(path).is_file() || is_device(&root.join(path)));
    each.map(|path| {
        match OpenOptions::new().read(true).write(true).open(root.join(&path)) {
            Ok(_) => Finding::good(format!("/{path} can be opened")),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Finding::bad(
                format!("/{path} may not be opened by this user"),
                "join the groups `render` and `video` and log in again; under Slurm, ask for a GPU: others are locked",
            ),
            Err(error) => Finding::bad(format!("/{path} cannot be opened: {error}"), "the driver is not loaded, or the card has failed: see dmesg"),
        }
    })
    .collect()
}

fn is_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| !m.is_dir())
}

/// Where libraries are.
fn library_directories(root: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let set = variable("LD_LIBRARY_PATH").unwrap_or_default();
    let set = set
        .split(':')
        .filter(|part| !part.is_empty())
        .map(str::to_owned);
    let usual = [
        "/usr/lib/x86_64-linux-gnu",
        "/usr/lib/aarch64-linux-gnu",
        "/lib/x86_64-linux-gnu",
        "/lib/aarch64-linux-gnu",
        "/usr/lib64",
        "/lib64",
        "/usr/lib",
        "/lib",
        "/usr/local/lib",
        "/usr/local/nvidia/lib64",
        "/run/opengl-driver/lib",
    ];
    let all = set.chain(usual.map(str::to_owned));
    all.map(|path| root.join(path.trim_start_matches('/')))
        .collect()
}

/// A library by its name, or by its path.
fn library(root: &Path, name: &str, variable: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    if name.contains('/') {
        let path = root.join(name.trim_start_matches('/'));
        return path.exists().then_some(path);
    }
    let directories = library_directories(root, variable);
    directories
        .into_iter()
        .map(|d| d.join(name))
        .find(|path| path.exists())
}

fn loader(root: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Finding {
    match library(root, "libvulkan.so.1", variable) {
        Some(path) => Finding::good(format!("the Vulkan loader is {}", below(root, &path))),
        None => Finding::bad(
            "the Vulkan loader, libvulkan.so.1, is not there",
            "install it: `libvulkan1` on Debian and Ubuntu, `vulkan-loader` on Fedora and Arch; without root, put it somewhere and name that in LD_LIBRARY_PATH",
        ),
    }
}

fn below(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).unwrap_or(path);
    format!("/{}", path.display())
}

/// The files that tell the loader of drivers.
fn drivers(root: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Vec<Finding> {
    let set = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"]
        .into_iter()
        .find_map(|name| Some((name, variable(name).filter(|v| !v.is_empty())?)));
    let manifests: Vec<PathBuf> = match &set {
        Some((_, list)) => list
            .split(':')
            .map(|path| root.join(path.trim_start_matches('/')))
            .collect(),
        None => {
            let directories = [
                "etc/vulkan/icd.d",
                "usr/share/vulkan/icd.d",
                "usr/local/share/vulkan/icd.d",
                "usr/local/etc/vulkan/icd.d",
            ];
            let directories = directories.map(|d| root.join(d));
            let each = directories
                .iter()
                .flat_map(|d| names(d).into_iter().map(move |name| d.join(name)));
            each.filter(|path| path.extension().is_some_and(|e| e == "json"))
                .collect()
        }
    };
    let mut findings = Vec::new();
    if let Some((name, _)) = set {
        findings.push(Finding::neutral(format!(
            "{name} is set: the loader looks at these files and no others"
        )));
    }
    if manifests.is_empty() {
        findings.push(Finding::bad(
            "no Vulkan driver is registered (no *.json in /etc/vulkan/icd.d or /usr/share/vulkan/icd.d)",
            "install the card's Vulkan driver: NVIDIA's driver brings nvidia_icd.json, `mesa-vulkan-drivers` those of AMD and Intel",
        ));
    }
    for manifest in manifests {
        let shown = below(root, &manifest);
        let text = match fs::read_to_string(&manifest) {
            Ok(text) => text,
            Err(error) => {
                findings.push(Finding::bad(
                    format!("{shown} cannot be read: {error}"),
                    "correct the path or its permissions",
                ));
                continue;
            }
        };
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let Some(name) = value["ICD"]["library_path"].as_str() else {
            findings.push(Finding::bad(
                format!("{shown} names no library"),
                "install the driver again",
            ));
            continue;
        };
        // A path with a slash that is not absolute counts from the manifest.
        let found = match name.contains('/') && !name.starts_with('/') {
            true => manifest
                .parent()
                .map(|d| d.join(name))
                .filter(|path| path.exists()),
            false => library(root, name, variable),
        };
        findings.push(match found {
            Some(_) => Finding::good(format!("{shown}: {name} is there")),
            None => Finding::bad(
                format!("{shown} names {name}, which is not there"),
                "install the driver that brings the library; in a container, mount the driver's graphics part (NVIDIA_DRIVER_CAPABILITIES=all)",
            ),
        });
    }
    findings
}

/// NVIDIA's kernel module and libraries must be of one version.
fn versions(root: &Path) -> Vec<Finding> {
    let text = read(&root.join("proc/driver/nvidia/version"));
    let is_version =
        |word: &&str| word.contains('.') && word.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let Some(kernel) = text
        .lines()
        .next()
        .and_then(|line| line.split_whitespace().find(is_version))
    else {
        return Vec::new();
    };
    let directories = library_directories(root, &|_| None);
    let libraries = directories.iter().flat_map(|d| names(d));
    let mut found: Vec<String> = libraries
        .filter_map(|name| name.strip_prefix("libnvidia-glcore.so.").map(str::to_owned))
        .collect();
    found.sort();
    found.dedup();
    match found.as_slice() {
        [] => vec![Finding::bad(
            format!(
                "NVIDIA's kernel module is {kernel}, and its graphics libraries (libnvidia-glcore) are not there"
            ),
            format!(
                "install the graphics part of the driver, version {kernel}; in a container set NVIDIA_DRIVER_CAPABILITIES=all"
            ),
        )],
        versions if versions.iter().any(|version| version == kernel) => {
            vec![Finding::good(format!(
                "NVIDIA's kernel module and libraries are both {kernel}"
            ))]
        }
        versions => vec![Finding::bad(
            format!(
                "NVIDIA's kernel module is {kernel}, its libraries are {}",
                versions.join(", ")
            ),
            "restart the machine after an update of the driver, or give the container the libraries of the host's driver",
        )],
    }
}

/// NVIDIA's containers show the graphics part of the driver only when asked to.
fn container(root: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Option<Finding> {
    let has_card = root.join("dev/nvidiactl").exists();
    let capabilities = variable("NVIDIA_DRIVER_CAPABILITIES").filter(|_| has_card)?;
    let enough = capabilities
        .split(',')
        .any(|word| ["all", "graphics"].contains(&word.trim()));
    Some(match enough {
        true => Finding::good(format!("NVIDIA_DRIVER_CAPABILITIES is {capabilities}")),
        false => Finding::bad(
            format!(
                "NVIDIA_DRIVER_CAPABILITIES is {capabilities}: the container has no graphics part of the driver"
            ),
            "start the container with NVIDIA_DRIVER_CAPABILITIES=all (or compute,utility,graphics)",
        ),
    })
}

/// What a scheduler said.
fn scheduler(root: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Vec<Finding> {
    if let Some(given) = super::given::given(root, variable) {
        let places = given.places.join(", ");
        return vec![Finding::good(format!(
            "{} gives this process the card at {places}",
            given.variable
        ))];
    }
    let inside = variable("SLURM_JOB_ID").is_some();
    match variable("CUDA_VISIBLE_DEVICES") {
        Some(value) if value.is_empty() || value == "NoDevFiles" || value == "-1" => {
            vec![Finding::bad(
                "CUDA_VISIBLE_DEVICES says that this process has no card",
                "ask the scheduler for one; under Slurm: --gpus-per-task=1",
            )]
        }
        None if inside => vec![Finding::bad(
            "this is a job of Slurm without a card",
            "ask for one: --gpus-per-task=1",
        )],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine of some files.
    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn bad(root: &Path, variables: &[(&str, &str)]) -> Vec<String> {
        let variable = |name: &str| {
            variables
                .iter()
                .find(|v| v.0 == name)
                .map(|v| v.1.to_owned())
        };
        let findings = examine(root, &variable).into_iter();
        let bad = findings.filter(|f| f.good == Some(false));
        bad.inspect(|f| assert!(f.advice.is_some()))
            .map(|f| f.what)
            .collect()
    }

    const WHOLE: &[(&str, &str)] = &[
        ("sys/bus/pci/devices/0000:3b:00.0/class", "0x030200\n"),
        ("sys/bus/pci/devices/0000:3b:00.0/vendor", "0x10de\n"),
        ("dev/nvidia0", ""),
        ("dev/nvidiactl", ""),
        ("usr/lib/x86_64-linux-gnu/libvulkan.so.1", ""),
        ("usr/lib/x86_64-linux-gnu/libGLX_nvidia.so.0", ""),
        ("usr/lib/x86_64-linux-gnu/libnvidia-glcore.so.550.54.15", ""),
        (
            "etc/vulkan/icd.d/nvidia_icd.json",
            "{\"ICD\": {\"library_path\": \"libGLX_nvidia.so.0\"}}",
        ),
        (
            "proc/driver/nvidia/version",
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue\nGCC version: 12.2.0\n",
        ),
    ];

    /// All files but those of some prefix, and the card's driver.
    fn without(prefix: &str) -> tempfile::TempDir {
        let files: Vec<_> = WHOLE
            .iter()
            .filter(|(path, _)| prefix.is_empty() || !path.starts_with(prefix))
            .copied()
            .collect();
        let root = machine(&files);
        #[cfg(unix)]
        if root.path().join("sys").exists() {
            let link = root.path().join("sys/bus/pci/devices/0000:3b:00.0/driver");
            std::os::unix::fs::symlink("../../../bus/pci/drivers/nvidia", link).unwrap();
        }
        root
    }

    #[cfg(unix)]
    #[test]
    fn every_thing_that_is_missing_is_named() {
        assert_eq!(bad(without("").path(), &[]), Vec::<String>::new());
        for (prefix, expected) in [
            ("dev/", "there is no /dev/dri/renderD* and no /dev/nvidia*"),
            (
                "usr/lib/x86_64-linux-gnu/libvulkan",
                "the Vulkan loader, libvulkan.so.1, is not there",
            ),
            ("etc/", "no Vulkan driver is registered"),
            (
                "usr/lib/x86_64-linux-gnu/libGLX",
                "names libGLX_nvidia.so.0, which is not there",
            ),
            (
                "usr/lib/x86_64-linux-gnu/libnvidia",
                "its graphics libraries (libnvidia-glcore) are not there",
            ),
        ] {
            let found = bad(without(prefix).path(), &[]);
            assert!(
                found.len() == 1 && found[0].contains(expected),
                "{prefix}: {found:?}"
            );
        }
        let whole = without("");
        for (variables, expected) in [
            (
                ("NVIDIA_DRIVER_CAPABILITIES", "compute,utility"),
                "the container has no graphics part",
            ),
            (
                ("CUDA_VISIBLE_DEVICES", "NoDevFiles"),
                "says that this process has no card",
            ),
            (("SLURM_JOB_ID", "7"), "a job of Slurm without a card"),
            (
                ("VK_DRIVER_FILES", "/nowhere.json"),
                "/nowhere.json cannot be read",
            ),
        ] {
            let found = bad(whole.path(), &[variables]);
            assert!(
                found.len() == 1 && found[0].contains(expected),
                "{expected}: {found:?}"
            );
        }
        let old = whole
            .path()
            .join("usr/lib/x86_64-linux-gnu/libnvidia-glcore.so.");
        let [old, new] =
            ["550.54.15", "535.1.2"].map(|version| format!("{}{version}", old.display()));
        fs::rename(old, new).unwrap();
        assert!(bad(whole.path(), &[])[0].contains("550.54.15, its libraries are 535.1.2"));
        fs::remove_file(whole.path().join("sys/bus/pci/devices/0000:3b:00.0/driver")).unwrap();
        assert!(bad(whole.path(), &[])[0].contains("has no kernel driver"));
    }
}
