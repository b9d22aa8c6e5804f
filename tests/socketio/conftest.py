"""Stock clients and what they connect to."""

import pytest

from platforms import Official, Ours
from stock import KINDS, Driver, Socket


def pytest_addoption(parser):
    parser.addoption("--official", action="store_true", help="against the official server, for those who write tests")


class Drivers:
    """One program for each kind of client, started when it is asked for."""

    def __init__(self):
        self.started = {}

    def get(self, kind):
        driver = self.started.get(kind)
        if driver is None or not driver.running():
            driver = self.started[kind] = Driver(kind).start()
        return driver

    def close(self):
        for driver in self.started.values():
            driver.stop()


@pytest.fixture(scope="session")
def drivers():
    found = Drivers()
    yield found
    found.close()


@pytest.fixture
def open_socket(drivers):
    """open_socket("js-4.8", url, "polling", …): a Socket that ends with the test; wait=False: it is not connected yet."""
    opened = []

    def open_one(kind, url, mode="websocket", wait=True, **opening):
        opened.append(Socket(drivers.get(kind), url, mode, **opening))
        return opened[-1].open(wait)

    yield open_one
    for socket in opened:
        if socket.driver.running():
            socket.forget()


@pytest.fixture(scope="session")
def platform_kind(request):
    return Official if request.config.getoption("--official") else Ours


@pytest.fixture
def start_platform(platform_kind, tmp_path):
    """start_platform(secret=…, …)"""
    started = []

    def start(**options):
        if platform_kind is Ours:
            options.setdefault("folder", tmp_path)
        started.append(platform_kind(**options))
        return started[-1]

    yield start
    for platform in started:
        platform.close()


@pytest.fixture(params=sorted(KINDS))
def kind(request):
    return request.param


@pytest.fixture(params=["polling", "upgrade", "websocket"])
def mode(request):
    return request.param
