"""A machine to throw away, made of namespaces: where daemons under test may delete and kill."""
import subprocess

# Runs what follows where it can delete files and kill processes to its heart's content: the machine's files are an overlay
# that ends with it, and it sees no process, no network, no service and no kernel setting but its own.
SCRIPT = """mount -t tmpfs -o size=256m throwaway /mnt
for folder in etc home opt root srv usr var; do
    mkdir "/mnt/$folder" "/mnt/$folder.work"
    mount -t overlay -o "lowerdir=/$folder,upperdir=/mnt/$folder,workdir=/mnt/$folder.work" throwaway "/$folder"
done
mkdir /mnt/net
mount --bind /proc/sys/net /mnt/net
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount --bind /mnt/net /proc/sys/net
mount -t tmpfs throwaway /run
exec "$@\""""


def throwaway():
    """The words before a program; as an ordinary user in a user namespace. None where the kernel allows neither."""
    for user in ([], ["--user", "--map-root-user"]):
        words = ["unshare", *user, "--mount", "--propagation", "private", "--net", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--", "sh", "-ec", SCRIPT, "sh"]
        if subprocess.run([*words, "true"], capture_output=True).returncode == 0:
            return words
    return None


THROWAWAY = throwaway()
