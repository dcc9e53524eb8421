// The machines' system disks, made once of Debian's packages and kept in .cache/: nothing of ours is on them but the
// unit that runs what a second disk brings.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { must } from "../run.mjs";
import { ensure } from "../stamp.mjs";

/** By Debian's release, with what is told of its kernel. */
export const MACHINES = {
  bookworm: "Linux 6.1, Landlock 2, systemd 252",
  trixie: "Linux 6.12, Landlock 6, systemd 257",
};

const PACKAGES = [
  ...["systemd", "systemd-sysv", "dbus", "libpam-systemd", "linux-image-cloud-amd64", "initramfs-tools"],
  // What Node is linked with, what tests call, and what a site has.
  ...["libstdc++6", "libatomic1", "procps", "ca-certificates"],
];

/** The user of the unit in docs/operations.md. */
const USER = "emdash";

/** Its lines go to the second serial line, and the machine is switched off behind it. */
const RUNS = `
[Unit]
Description=What the second disk brings
After=systemd-user-sessions.service
SuccessAction=poweroff-force
FailureAction=poweroff-force

[Service]
Type=oneshot
StandardOutput=file:/dev/ttyS1
StandardError=inherit
ExecStart=/bin/sh -c 'tar -xf /dev/vdb -C / && exec /machine/run'

[Install]
WantedBy=multi-user.target
`;

/** A disk has to hold the repository besides; what is not written takes no room. */
const SIZE = "6G";

/**
 * @typedef {{ disk: string, kernel: string, initrd: string }} Image
 * @param {string} name
 * @returns {Promise<Image>}
 */
export async function ensureImage(name) {
  const folder = `.cache/machines/${name}`;
  const image = {
    disk: `${folder}/disk.ext4`,
    kernel: `${folder}/vmlinuz`,
    initrd: `${folder}/initrd.img`,
  };
  await ensure({
    name: `machine ${name}`,
    inputs: ["scripts/machine/image.mjs"],
    outputs: Object.values(image),
    make: () => make(name, folder, image),
  });
  return image;
}

/**
 * @param {string} name
 * @param {string} folder
 * @param {Image} image
 */
async function make(name, folder, image) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const made = mkdtempSync(join(tmpdir(), "emdash-sandbox-image-"));
  const root = join(made, "root");
  try {
    await must("mmdebstrap", [
      ...["--quiet", "--mode=root", "--variant=minbase", `--include=${PACKAGES}`],
      '--aptopt=APT::Install-Recommends "false"',
      `--customize-hook=useradd --root "$1" --system --user-group --create-home ${USER}`,
      ...[name, root],
    ]);
    writeFileSync(join(root, "etc/hosts"), "127.0.0.1 localhost\n::1 localhost\n");
    writeFileSync(join(root, "etc/systemd/system/machine.service"), RUNS);
    await must("systemctl", ["--quiet", `--root=${root}`, "enable", "machine.service"]);
    const boot = readdirSync(join(root, "boot"));
    for (const [start, to] of Object.entries({ "vmlinuz-": image.kernel, "initrd.img-": image.initrd })) {
      const file = boot.find((each) => each.startsWith(start));
      if (file === undefined) throw new Error(`${name} came without a ${start}`);
      cpSync(join(root, "boot", file), to);
    }
    await must("mke2fs", ["-q", "-t", "ext4", "-d", root, image.disk, SIZE]);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}
