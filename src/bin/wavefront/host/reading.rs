//! What this machine says of itself at one moment.

use std::collections::BTreeMap;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use sysinfo::{
    CpuRefreshKind, DiskRefreshKind, Disks, MINIMUM_CPU_UPDATE_INTERVAL, MemoryRefreshKind, Networks, RefreshKind,
    System,
};

/// What was read at one moment. Bytes are bytes, usages are percent, counters only grow while nothing restarts.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Reading {
    /// When, in s since 1970.
    pub(crate) at: u64,
    /// None at the first reading, and where the last one is too near: usage is measured between two.
    pub(crate) cpu: Option<Cpu>,
    pub(crate) memory: Memory,
    pub(crate) swap: Memory,
    /// Over 1, 5 and 15 minutes; none where the system has no such thing.
    pub(crate) load: Option<[f64; 3]>,
    pub(crate) file_systems: Vec<FileSystem>,
    /// A device's counters, by its name.
    pub(crate) devices: BTreeMap<String, Device>,
    /// An interface's counters, by its name.
    pub(crate) interfaces: BTreeMap<String, Interface>,
}

/// How busy the processors were since the last reading, in percent.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Cpu {
    pub(crate) total: f64,
    pub(crate) cores: Vec<f64>,
}

/// Bytes of memory or swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Memory {
    pub(crate) total: u64,
    pub(crate) available: u64,
}

/// The space of a file system, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct FileSystem {
    pub(crate) mount: String,
    pub(crate) device: String,
    pub(crate) kind: String,
    pub(crate) total: u64,
    pub(crate) available: u64,
}

/// Bytes that a device has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Device {
    pub(crate) read: u64,
    pub(crate) written: u64,
}

/// What a network interface has moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Interface {
    pub(crate) received: Traffic,
    pub(crate) sent: Traffic,
}

/// One direction of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Traffic {
    pub(crate) bytes: u64,
    pub(crate) packets: u64,
    pub(crate) errors: u64,
}

/// Takes readings. What it needs to know of the machine is kept from one to the next.
pub(crate) struct Gatherer {
    system: System,
    disks: Disks,
    networks: Networks,
    /// When the processors were last looked at.
    looked: Option<Instant>,
}

impl Gatherer {
    pub(crate) fn new() -> Self {
        Self { system: System::new(), disks: Disks::new(), networks: Networks::new(), looked: None }
    }

    /// Reads everything once.
    pub(crate) fn read(&mut self) -> Reading {
        let apart = self.looked.is_some_and(|last| last.elapsed() >= MINIMUM_CPU_UPDATE_INTERVAL);
        let what = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing().with_cpu_usage())
            .with_memory(MemoryRefreshKind::everything());
        self.system.refresh_specifics(what);
        if apart || self.looked.is_none() {
            self.looked = Some(Instant::now());
        }
        self.disks.refresh_specifics(true, DiskRefreshKind::nothing().with_storage().with_io_usage());
        self.networks.refresh(true);

        let (file_systems, devices) = self.disks();
        Reading {
            at: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            cpu: if apart { self.cpu() } else { None },
            memory: Memory { total: self.system.total_memory(), available: self.system.available_memory() },
            swap: Memory { total: self.system.total_swap(), available: self.system.free_swap() },
            load: load(),
            file_systems: worth_telling(file_systems),
            devices,
            interfaces: self.interfaces(),
        }
    }

    fn cpu(&self) -> Option<Cpu> {
        let cores: Vec<f64> = self.system.cpus().iter().map(|core| f64::from(core.cpu_usage())).collect();
        let total = f64::from(self.system.global_cpu_usage());
        (!cores.is_empty()).then_some(Cpu { total, cores })
    }

    fn disks(&self) -> (Vec<FileSystem>, BTreeMap<String, Device>) {
        let (mut file_systems, mut devices) = (Vec::new(), BTreeMap::new());
        for disk in &self.disks {
            let mount = disk.mount_point().to_string_lossy().into_owned();
            let name = disk.name().to_string_lossy();
            let usage = disk.usage();
            let counted = Device { read: usage.total_read_bytes, written: usage.total_written_bytes };
            if counted != Device::default() {
                // A device that is mounted in several places is counted once.
                devices.insert(name.strip_prefix("/dev/").unwrap_or(&name).to_owned(), counted);
            }
            // Containers get single files mounted: those are no file systems.
            if disk.mount_point().is_dir() {
                let kind = disk.file_system().to_string_lossy().into_owned();
                let (total, available) = (disk.total_space(), disk.available_space());
                file_systems.push(FileSystem { mount, device: name.into_owned(), kind, total, available });
            }
        }
        (file_systems, devices)
    }

    fn interfaces(&self) -> BTreeMap<String, Interface> {
        let counters = self.networks.iter().filter(|(name, _)| is_network(name)).map(|(name, data)| {
            let received = Traffic {
                bytes: data.total_received(),
                packets: data.total_packets_received(),
                errors: data.total_errors_on_received(),
            };
            let sent = Traffic {
                bytes: data.total_transmitted(),
                packets: data.total_packets_transmitted(),
                errors: data.total_errors_on_transmitted(),
            };
            (name.clone(), Interface { received, sent })
        });
        counters.collect()
    }
}

fn load() -> Option<[f64; 3]> {
    if cfg!(windows) {
        return None;
    }
    let load = System::load_average();
    Some([load.one, load.five, load.fifteen])
}

/// Not the loopback, and not a container's end of a virtual cable: there are many of those, they come and go, and what
/// they carry is seen at the bridge.
fn is_network(name: &str) -> bool {
    let loopback = name.strip_prefix("lo").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
        || name.starts_with("Loopback");
    !loopback && !name.starts_with("veth")
}

/// File systems that hold something: none in memory, none of the kernel's, no second mount of the same device. A
/// container's root, an overlay, is kept; other overlays repeat what lies under them.
fn worth_telling(mut all: Vec<FileSystem>) -> Vec<FileSystem> {
    all.retain(|it| it.total > 0 && !(is_pseudo(&it.kind) && it.mount != "/"));
    all.sort_by(|a, b| a.mount.len().cmp(&b.mount.len()).then_with(|| a.mount.cmp(&b.mount)));
    let mut kept: Vec<FileSystem> = Vec::new();
    for it in all {
        let repeats =
            |other: &FileSystem| other.mount == it.mount || (it.device.starts_with('/') && other.device == it.device);
        if !kept.iter().any(repeats) {
            kept.push(it);
        }
    }
    kept
}

fn is_pseudo(kind: &str) -> bool {
    const PSEUDO: [&str; 17] = [
        "tmpfs",
        "devtmpfs",
        "ramfs",
        "rootfs",
        "overlay",
        "aufs",
        "squashfs",
        "nsfs",
        "efivarfs",
        "tracefs",
        "debugfs",
        "securityfs",
        "configfs",
        "bpf",
        "binfmt_misc",
        "fusectl",
        "devfs",
    ];
    // `fuseblk` is a disk; `fuse.…` are network shares and views of something else.
    PSEUDO.contains(&kind) || kind.starts_with("fuse.")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn mounted(all: &[(&str, &str, &str)]) -> Vec<String> {
        let all = all.iter().map(|(device, mount, kind)| FileSystem {
            mount: (*mount).into(),
            device: (*device).into(),
            kind: (*kind).into(),
            total: 1,
            available: 1,
        });
        worth_telling(all.collect()).into_iter().map(|it| it.mount).collect()
    }

    #[test]
    fn a_servers_file_systems_are_told_once_each() {
        let kept = mounted(&[
            ("/dev/sda2", "/", "ext4"),
            ("/dev/sda1", "/boot/efi", "vfat"),
            ("tmpfs", "/tmp", "tmpfs"),
            ("/dev/sdb", "/srv/data/bind", "xfs"),
            ("/dev/sdb", "/srv/data", "xfs"),
            ("overlay", "/var/lib/docker/overlay2/1/merged", "overlay"),
            ("portal", "/run/user/1000/doc", "fuse.portal"),
            ("/dev/sdc1", "/media/stick", "fuseblk"),
        ]);
        assert_eq!(kept, ["/", "/boot/efi", "/srv/data", "/media/stick"]);
    }

    #[test]
    fn a_containers_root_is_told_though_it_is_an_overlay() {
        let kept =
            mounted(&[("overlay", "/", "overlay"), ("/dev/vda1", "/data", "ext4"), ("shm", "/dev/shm", "tmpfs")]);
        assert_eq!(kept, ["/", "/data"]);
    }

    #[test]
    fn the_loopback_and_virtual_cables_are_no_network() {
        for name in ["lo", "lo0", "Loopback Pseudo-Interface 1", "veth1a2b3c"] {
            assert!(!is_network(name), "{name}");
        }
        for name in ["eth0", "wlan0", "ppp0", "br-lan", "longhaul0", "docker0"] {
            assert!(is_network(name), "{name}");
        }
    }

    #[test]
    fn this_machine_answers() {
        let mut gatherer = Gatherer::new();
        let first = gatherer.read();
        assert_eq!(first.cpu, None);
        assert!(first.at > 1_600_000_000 && first.memory.total >= first.memory.available);
        assert!(first.memory.total > 0);
        assert_eq!(gatherer.read().cpu, None, "too near");
        std::thread::sleep(MINIMUM_CPU_UPDATE_INTERVAL);
        let second = gatherer.read();
        let cpu = second.cpu.unwrap();
        assert!(cpu.cores.iter().chain([&cpu.total]).all(|usage| (0.0..=100.0).contains(usage)), "{cpu:?}");
    }
}
