"""A network of services, as an engine makes one: each has a loopback and an address of its own, and they reach each other
by their names. Nothing of it is seen from this machine, and nothing is left of it."""

from images import must
from servers import Program

SUBNET = "172.18.0"  # of those that docker/compose.yaml trusts proxies of
OUTSIDE = f"{SUBNET}.1"  # where whoever comes to the services from outside comes from


class Namespace(Program):
    """A network for as long as this runs; setup: commands of a shell in it."""

    def __init__(self, name, *around):
        super().__init__(name)
        self.around = around

    def start(self, setup):
        self._spawn([*self.around, "unshare", "--net", "sh", "-ec", f"{setup}; echo up; exec sleep infinity"])
        self.wait_line("^up")

    def argv(self, *words):
        return ["nsenter", "-t", str(self.pid), "-n", *words]


class Network:
    """hosts: the file that has all names."""

    def __init__(self, hosts):
        self.hosts = hosts
        self.switch = Namespace("network")
        self.members = {}
        with open(hosts, "w") as file:
            file.write("127.0.0.1 localhost\n")

    def start(self):
        self.switch.start(
            "ip link set lo up; ip link add br0 type bridge forward_delay 0;"
            f"ip addr add {OUTSIDE}/24 dev br0; ip link set br0 up"
        )

    def join(self, name):
        """A new member."""
        member = Namespace(f"network of {name}", *self.switch.argv())
        self.members[name] = member
        member.start("ip link set lo up")
        number = len(self.members) + 1
        link = f"member{number}"
        must(*self.switch.argv("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", str(member.pid)))
        must(*self.switch.argv("ip", "link", "set", link, "master", "br0", "up"))
        must(*member.argv("ip", "addr", "add", f"{SUBNET}.{number}/24", "dev", "eth0"))
        must(*member.argv("ip", "link", "set", "eth0", "up"))
        with open(self.hosts, "a") as file:
            file.write(f"{SUBNET}.{number} {name}\n")
        return member

    def address(self, name):
        return f"{SUBNET}.{list(self.members).index(name) + 2}"

    def argv(self, *words):
        """What runs something outside of all members, but beside them."""
        return self.switch.argv(*words)

    def close(self):
        for one in (*self.members.values(), self.switch):
            if one.running():
                one.kill9()
