/** A small file system of its own under a state folder, which can be filled and broken while the wizard writes to it. */
import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface Disk {
  /** Not a byte more fits. */
  fill(): void;
  /** As after an error of the medium: mounted read-only, open files included; what was not synced is gone after `mend`. */
  break(): void;
  /** Room again, writable again. */
  mend(): void;
  close(): void;
}

const run = (command: string, ...args: string[]) => {
  const done = spawnSync(command, args, { encoding: 'utf8' });
  return done.status === 0 ? done.stdout.trim() : undefined;
};

/** Mounts it at `folder`; undefined where this account or this machine has no loop devices to mount. */
export function openDisk(image: string, folder: string): Disk | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const fd = openSync(image, 'w');
  writeSync(fd, Buffer.alloc(1), 0, 1, 16 * 1024 * 1024 - 1);
  closeSync(fd);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (run('mkfs.ext4', '-q', '-F', '-m', '0', image) === undefined) return undefined;
  const mount = () => {
    if (run('mount', '-o', 'loop,errors=remount-ro', image, folder) === undefined) return false;
    chmodSync(folder, 0o700);
    return true;
  };
  if (!mount()) return undefined;
  const filler = join(folder, 'filler');
  let broken = false;
  const disk: Disk = {
    fill() {
      const file = openSync(filler, 'w');
      const block = Buffer.alloc(64 * 1024);
      try {
        for (;;) if (writeSync(file, block) < block.length) break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      } finally {
        closeSync(file);
      }
    },
    break() {
      const device = basename(run('findmnt', '-n', '-o', 'SOURCE', folder) ?? '');
      writeFileSync(`/sys/fs/ext4/${device}/trigger_fs_error`, '1');
      broken = true;
    },
    mend() {
      if (!broken) {
        rmSync(filler, { force: true });
        return;
      }
      run('umount', folder);
      // 1: errors were corrected, which is what it is for.
      spawnSync('e2fsck', ['-p', image]);
      if (!mount()) throw new Error('the disk could not be mounted again');
      broken = false;
    },
    close() {
      run('umount', '-l', folder);
      rmSync(image, { force: true });
    },
  };
  return disk;
}
