//! What a process takes of the machine's memory, as the kernel counts it.

/// The most memory that a process ever had resident, in bytes (`VmHWM`, proc(5)).
pub fn peak_memory(pid: u32) -> u64 {
    field(pid, "VmHWM:")
}

/// The memory that a process has resident, in bytes (`VmRSS`, proc(5)).
pub fn memory(pid: u32) -> u64 {
    field(pid, "VmRSS:")
}

fn field(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let kib: u64 = line.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    kib * 1024
}
