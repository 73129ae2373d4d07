"""A bus and a responder of one's own, on the loopback interface alone, and who listens to them there.

KOKORO_AVAHI  the unpacked Debian packages with avahi-daemon, dbus-daemon and libavahi-client; else those of the system
"""

import os
import shutil
import subprocess
import time
from pathlib import Path

from conftest import wait_until
from zeroconf import IPVersion, ServiceBrowser, ServiceInfo, Zeroconf

TYPE = "_wyoming._tcp.local."
HOST = "kokoro-test"
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <auth>ANONYMOUS</auth>
  <allow_anonymous/>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
"""
RESPONDER = f"""[server]
host-name={HOST}
allow-interfaces=lo
use-ipv4=yes
use-ipv6=no
[publish]
publish-workstation=no
[wide-area]
enable-wide-area=no
"""


def _root():
    return Path(os.environ.get("KOKORO_AVAHI") or "/")


def missing():
    """The programs that are not there."""
    return [name for name in ("usr/sbin/avahi-daemon", "usr/bin/dbus-daemon") if not (_root() / name).exists()]


def _libraries():
    found = [str(path) for path in (*_root().glob("usr/lib/*-linux-gnu*"), *_root().glob("lib/*-linux-gnu*"))]
    return {"LD_LIBRARY_PATH": ":".join(found)} if _root() != Path("/") else {}


def _as_user(directory):
    """What a command is prefixed with, so that there is the user whom avahi-daemon looks for: whoever runs it."""
    wrapper = next(_root().glob("usr/lib/*-linux-gnu*/libnss_wrapper.so"), None)
    if wrapper is None:
        return []  # the system's daemon has made one
    users, groups = directory / "passwd", directory / "group"
    users.write_text("avahi:x:0:0::/:/bin/false\n")
    groups.write_text("avahi:x:0:\n")
    return ["env", f"LD_PRELOAD={wrapper}", f"NSS_WRAPPER_PASSWD={users}", f"NSS_WRAPPER_GROUP={groups}"]


def _private_run():
    """What a command is prefixed with, so that it has a /run of its own: a pid file of the machine's own daemon is there."""
    ways = [["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]]
    for way in ways if shutil.which("unshare") else ():
        way = [*way, "sh", "-c", 'mount -t tmpfs tmpfs /run && exec "$@"', "sh"]
        if subprocess.run([*way, "true"], capture_output=True).returncode == 0:
            return way
    return []


class Network:
    def __init__(self, directory):
        self.socket = directory / "bus"
        self.bus_settings, self.settings = directory / "bus.conf", directory / "avahi.conf"
        self.bus_settings.write_text(BUS.format(path=self.socket))
        self.settings.write_text(RESPONDER)
        self.log = (directory / "log").open("w+")
        self.bus = self.daemon = None
        self.prefix = [*_private_run(), *_as_user(directory)]
        # What a program needs that shall speak with this bus.
        self.environment = {**_libraries(), "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.socket}"}

    def _start(self, *command):
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                env={**os.environ, **self.environment})

    def _wait(self, process, is_there, what):
        end = time.monotonic() + 20
        while not is_there():
            assert process.poll() is None and time.monotonic() < end, f"{what}:\n{self._read()}"
            time.sleep(0.05)

    def _read(self):
        self.log.flush()
        return Path(self.log.name).read_text()

    def start_bus(self):
        self.socket.unlink(missing_ok=True)
        self.bus = self._start(str(_root() / "usr/bin/dbus-daemon"), f"--config-file={self.bus_settings}", "--nofork",
                               "--nopidfile")
        self._wait(self.bus, self.socket.exists, "dbus-daemon does not start")

    def start_daemon(self):
        before = self._read().count("Server startup complete")
        self.daemon = self._start(*self.prefix, str(_root() / "usr/sbin/avahi-daemon"), "-f", str(self.settings),
                                  "--no-drop-root", "--no-chroot", "--no-rlimits", "--no-proc-title")
        self._wait(self.daemon, lambda: self._read().count("Server startup complete") > before,
                   "avahi-daemon does not start")

    @staticmethod
    def _stop(process):
        if process is not None and process.poll() is None:
            process.terminate()
            process.wait(20)

    def stop_daemon(self):
        self._stop(self.daemon)

    def stop_bus(self):
        self._stop(self.bus)

    def stop(self):
        self.stop_daemon()
        self.stop_bus()
        self.log.close()


class Listener:
    """What is announced on the loopback interface; a machine of its own as far as mDNS can tell."""

    def __init__(self):
        self.zeroconf = Zeroconf(interfaces=["127.0.0.1"], ip_version=IPVersion.V4Only)
        self._names = set()
        self._browser = ServiceBrowser(self.zeroconf, TYPE, listener=self)

    def add_service(self, _zeroconf, _type, name):
        self._names.add(name.removesuffix("." + TYPE))

    update_service = add_service

    def remove_service(self, _zeroconf, _type, name):
        self._names.discard(name.removesuffix("." + TYPE))

    def names(self):
        """Of our kind: the machine may have other services."""
        return {name for name in list(self._names) if name.startswith("Kokoro")}

    def wait(self, *names, limit_s=20):
        wait_until(self.names, lambda found: found == set(names), limit_s, f"not {names}")

    def look_up(self, name):
        info = self.zeroconf.get_service_info(TYPE, f"{name}.{TYPE}", timeout=10000)
        assert info is not None, name
        return info

    def take(self, name, port):
        """Announce something under that name."""
        info = ServiceInfo(TYPE, f"{name}.{TYPE}", port=port, server="another.local.", addresses=[bytes((127, 0, 0, 1))])
        self.zeroconf.register_service(info)

    def close(self):
        self.zeroconf.close()
