// A machine from its start to its end, with what it says on its second serial line.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

/**
 * Some hosts have a /dev/kvm that runs only kernels that know of it (a processor without the extensions, itself virtual):
 * Debian's end in the middle of their start, and QEMU waits for ever.
 */
const HAS_KVM =
  existsSync("/dev/kvm") && /^flags\b.* (vmx|svm) /m.test(readFileSync("/proc/cpuinfo", "utf8"));

/** A machine needs a few minutes; emulated, ten times as long. */
const DEADLINE_MS = HAS_KVM ? 900_000 : 5_400_000;

const SIGNALS = /** @type {const} */ (["SIGINT", "SIGTERM"]);

/** The last line of what /machine/run says. */
const LAST = /^machine: exit (\d+)\s*$/m;

/**
 * Whether it has said that all passed.
 *
 * @param {import("./image.mjs").Image} image
 * @param {string} drive
 * @param {string} folder
 * @returns {Promise<boolean>}
 */
export async function boot({ disk, kernel, initrd }, drive, folder) {
  const log = join(folder, "console.log");
  const args = [
    ...["-nodefaults", "-no-reboot", "-display", "none", "-nic", "none"],
    ...["-machine", "q35", "-accel", HAS_KVM ? "kvm" : "tcg,thread=multi"],
    // Where we are a virtual machine ourselves, KVM may refuse to set what "max" would claim of mitigations.
    ...["-cpu", "max,-arch-capabilities", "-smp", "2", "-m", "3072"],
    ...["-kernel", kernel, "-initrd", initrd],
    // A kernel that panics ends the machine, instead of waiting for somebody.
    ...["-append", "root=/dev/vda rw console=ttyS0 panic=-1 quiet"],
    // What is written to the system's disk goes with the machine.
    ...["-drive", `file=${disk},format=raw,if=virtio,snapshot=on`],
    ...["-drive", `file=${drive},format=raw,if=virtio,readonly=on`],
    ...["-serial", `file:${log}`, "-serial", "stdio"],
  ];
  const text = await new Promise((resolve, reject) => {
    const machine = spawn("qemu-system-x86_64", args, {
      stdio: ["ignore", "pipe", "inherit"],
      // Where what is written meanwhile is kept.
      env: { ...process.env, TMPDIR: folder },
    });
    const deadline = setTimeout(() => machine.kill("SIGKILL"), DEADLINE_MS);
    // Whoever ends us means the machine, and what is in the temporary folder.
    let stopped = "";
    const stop = (/** @type {NodeJS.Signals} */ signal) => {
      stopped = signal;
      machine.kill("SIGKILL");
    };
    for (const signal of SIGNALS) process.on(signal, stop);
    let said = "";
    machine.stdout.setEncoding("utf8").on("data", (chunk) => {
      const lines = chunk.replaceAll("\r\n", "\n");
      said += lines;
      process.stdout.write(lines);
    });
    machine.on("error", reject);
    machine.on("close", () => {
      clearTimeout(deadline);
      for (const signal of SIGNALS) process.off(signal, stop);
      if (stopped) reject(new Error(`stopped by ${stopped}`));
      else resolve(said);
    });
  });
  const [, code] = LAST.exec(text) ?? [];
  if (code === undefined) {
    const lines = existsSync(log) ? readFileSync(log, "utf8").split("\n") : [];
    console.error(
      `the machine ended before its time. Its console's last lines:\n${lines.slice(-40).join("\n")}`,
    );
  }
  return code === "0";
}
