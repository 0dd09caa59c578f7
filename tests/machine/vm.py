"""A node as a virtual machine with a kernel of its own, for tests that say `# needs: vm`: the same tree as an ext4 image."""
import contextlib, socket, subprocess

from node import Node
from shell import retry
from tree import must, run

SIZE = "3G"  # of the image, a sparse file


class Vm(Node):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        # Not in memory, where the other nodes lie.
        self.image = self.root.parents[2] / f"{self.root.parent.name}-{self.name}.img"
        self.talk = self.root / "shell.sock"

    @contextlib.contextmanager
    def mounted(self):
        with super().mounted():
            try:
                yield self
            finally:
                self.image.unlink(missing_ok=True)
                run("ip", "link", "delete", self.cable)

    def power_on(self, log, allow_reboot):
        boot = next(path for layer in self.lower if (path := layer / "boot").is_dir() and any(path.iterdir()))
        if not self.image.exists():
            must("mke2fs", "-q", "-t", "ext4", "-F", "-E", "root_owner=0:0,lazy_itable_init=1", "-d", self.tree, self.image, SIZE)
            run("ip", "tuntap", "add", "dev", self.cable, "mode", "tap")
            self.plug()
        command = ["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "Nehalem", "-smp", "2", "-m", "1024", "-nodefaults", "-no-user-config", "-display", "none",
                   *([] if allow_reboot else ["-no-reboot"]), "-kernel", next(boot.glob("vmlinuz-*")), "-initrd", next(boot.glob("initrd.img-*")),
                   "-append", "root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet", "-serial", f"file:{self.console}",
                   "-drive", f"file={self.image},format=raw,if=virtio,cache=writeback", "-device", "virtio-rng-pci",
                   "-netdev", f"tap,id=cable,ifname={self.cable},script=no,downscript=no", "-device", f"virtio-net-pci,netdev=cable,mac=52:54:00:12:01:{self.number:02x}",
                   "-device", "virtio-serial", "-chardev", f"socket,id=shell,path={self.talk},server=on,wait=off", "-device", "virtserialport,chardev=shell,name=driver"]
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        retry(lambda _: self.talk.exists() or self.gone(), 60)
        return self.process

    def dial(self):
        line = socket.socket(socket.AF_UNIX)
        line.connect(str(self.talk))
        return line

    def reboot(self):
        super().reboot()
        self.ready = False

    def cut(self):
        self.process.kill()
