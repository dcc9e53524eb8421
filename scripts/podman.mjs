// Podman in a folder of its own, asking for no service of the machine's: neither systemd, for cgroups, nor its journal.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { run } from "./run.mjs";

/**
 * @param {string} folder
 * @returns {(...args: string[]) => string[]} podman's arguments with those for this folder before them
 */
export function podmanIn(folder) {
  const settings =
    '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n[containers]\ndefault_ulimits = []\n';
  writeFileSync(join(folder, "containers.conf"), settings);
  process.env.CONTAINERS_CONF = join(folder, "containers.conf");
  const place = [
    `--root=${folder}/root`,
    `--runroot=${folder}/run`,
    "--storage-driver=vfs",
    "--runtime=runc",
  ];
  return (...args) => [...place, ...args];
}

/** @param {(...args: string[]) => string[]} podman */
export async function canRunContainers(podman) {
  const tried = run("podman", podman("run", "--rm", "--network=none", "--rootfs", "/:O", "true"));
  return (await tried.catch(() => ({ code: 1 }))).code === 0;
}
