"""What images/kexec-run gives the installer: the real program and real archives; only kexec itself and the restart are
stand-ins. The addresses it wrote are then given to a real systemd-networkd, which must make of them what was there before."""
import json, re

from place import PATH_FIRST, ROOT

ON = ["trixie"]


def checks(site):
    succeed = site.succeed
    carried = "/root/after/carried"
    site.stand_in("kexec", 'printf "%s\\n" "$@" >>/root/loaded\ncase "$*" in *--kexec-syscall-auto*) exit 1 ;; esac')
    site.stand_in("systemd-run", "echo $* >>/root/restarted")
    site.write("/srv/kexec/run", (ROOT / "images/kexec-run").read_text())
    site.write("/srv/kexec/parameters", "init=/nix/store/x/init console=ttyS0\n")
    site.write("/srv/kexec/bzImage", "a kernel")
    site.write("/root/.ssh/authorized_keys", '# none\nno-pty,command="echo Please login as the user debian" ssh-ed25519 AAAAC3one ann\nsk-ssh-ed25519@openssh.com AAAAGsk bob@desk\n')
    site.write("/etc/ssh/ssh_host_ed25519_key", "host key\n")
    succeed("""chmod 600 /etc/ssh/ssh_host_ed25519_key; cp /stand-in/kexec /srv/kexec/kexec; chmod +x /srv/kexec/run
        mkdir -p /root/before && echo first >/root/before/first && (cd /root/before && find . | cpio --quiet -o -H newc | gzip) >/srv/kexec/initrd && tar -C /srv -cf /srv/image.tar kexec
        ip addr flush dev eth1
        ip link add lan0 type veth peer name lan1 && ip link set lan0 address 52:54:00:12:34:56 && ip link set lan1 up && ip link set lan0 up
        ip addr add 192.0.2.7/27 dev lan0 && ip -6 addr add 2001:db8::7/64 dev lan0 nodad && ip addr add 192.0.2.9/27 dev lan0 valid_lft 900 preferred_lft 900
        ip route add default via 192.0.2.1 dev lan0 proto static && ip route add 198.51.100.0/24 via 203.0.113.1 dev lan0 onlink && ip route add 203.0.113.9/32 dev lan0
        ip -6 route add default via fe80::1 dev lan0 && ip route add 10.9.0.0/16 via 192.0.2.3 dev lan0 proto dhcp""")

    def started():
        said = site.execute(f"{PATH_FIRST}; tar -C /root -xf /srv/image.tar && dash /root/kexec/run --kexec-extra-flags --debug")
        assert said[0] == 0 and "machine will boot into nixos" in said[1], said
        words = ["--load", "/root/kexec/bzImage", "--initrd=/root/kexec/initrd.carried", "--command-line=init=/nix/store/x/init console=ttyS0", "--debug"]
        assert succeed("cat /root/loaded").splitlines() == [*words, "--kexec-syscall-auto", *words], "the old system call where the new one fails"
        site.machine.wait_until_succeeds("grep -q '^--quiet --collect --on-active=5 systemctl kexec$' /root/restarted")
        succeed("mkdir /root/first /root/after && zcat /root/kexec/initrd.carried | { cd /root/first && cpio -id --quiet; cd /root/after && cpio -id --quiet; }; test -e /root/first/first")

    def keys():
        assert succeed(f"cat {carried}/root/.ssh/authorized_keys").splitlines() == ["ssh-ed25519 AAAAC3one ann", "sk-ssh-ed25519@openssh.com AAAAGsk bob@desk"]
        assert succeed(f"cd {carried} && stat -c '%n %a %U' root root/.ssh etc/ssh/ssh_host_ed25519_key etc").splitlines() == ["root 700 root", "root/.ssh 700 root", "etc/ssh/ssh_host_ed25519_key 600 root", "etc 755 root"]
        succeed(f"cmp {carried}/etc/machine-id /etc/machine-id && cmp {carried}/etc/ssh/ssh_host_ed25519_key /etc/ssh/ssh_host_ed25519_key")
        assert succeed(f"cd {carried} && find . -type f | sort").split() == ["./etc/machine-id", "./etc/osmoda-before.nix", "./etc/ssh/ssh_host_ed25519_key", "./etc/systemd/network/10-lan0.network", "./root/.ssh/authorized_keys"]

    def settings():
        """What osmoda-install puts into the new machine's configuration, for Nix and to the letter."""
        said = json.loads(succeed(f"(echo '{{'; cat {carried}/etc/osmoda-before.nix; echo '}}') >/root/before.nix && nix-instantiate --eval --strict --json /root/before.nix 2>/dev/null"))
        assert (said["networking"], list(said["environment"]["etc"])) == ({"useDHCP": False, "useNetworkd": True}, ["systemd/network/10-lan0.network"])
        assert said["environment"]["etc"]["systemd/network/10-lan0.network"]["text"] == succeed(f"cat {carried}/etc/systemd/network/10-lan0.network")

    def network():
        static = lambda: {(one["local"], one["prefixlen"]) for one in json.loads(succeed("ip -j addr show dev lan0 scope global"))[0]["addr_info"] if one.get("local") and not one.get("dynamic")}
        routes = lambda: {re.sub(" (dev lan0|proto|metric|pref)( (static|boot|[0-9]+|medium))?", "", line).strip() for line in succeed("for f in 4 6; do ip -$f route show dev lan0; done | grep -v 'proto kernel\\|proto dhcp\\|proto ra'").splitlines()}
        before = static(), routes()
        assert len(before[0]) == 2 and len(before[1]) == 4, before
        succeed(f"ip link del lan0; cp {carried}/etc/systemd/network/* /etc/systemd/network/ && rm -r /stand-in && systemctl start systemd-networkd")
        succeed("ip link add lan0 type veth peer name lan1 && ip link set lan0 address 52:54:00:12:34:56 && ip link set lan1 up")
        site.machine.wait_until_succeeds("ip -6 route show default dev lan0 | grep -q fe80::1 && ip route show default dev lan0 | grep -q 192.0.2.1")
        assert (static(), routes()) == before, (static(), routes(), before)
        assert "lan0" not in site.execute("journalctl -u systemd-networkd --no-pager -o cat | grep -i 'ignor\\|invalid\\|fail'")[1]

    yield "it loads the kernel with its parameters, and lets systemd restart into it", started
    yield "ssh keys and machine-id go with it, with their owners and modes", keys
    yield "the new system's configuration gets the same addresses", settings
    yield "addresses and routes are there again, what was leased is not", network
