"""Stand-in for the official Python client: what a generated program uses of it, written for these tests.

A program tells it of its properties and starts it; it then opens one connection as ssl_params say (the names are those of the
client's wrap_socket), does what the cloud and the passing of time would do to each property once, and prints all of it.
"""
import json
import socket
import ssl


class ArduinoCloudObject:
    def __init__(self, name, **kwargs):
        self.name = name
        self.hooks = {k: kwargs.pop(k) for k in ("on_read", "on_write", "on_run") if k in kwargs}
        self.interval = kwargs.pop("interval", None)
        self.attributes = {k: kwargs.pop(k, None) for k in kwargs.pop("keys", ())}
        self.value = kwargs.pop("value", None)
        if kwargs:
            raise TypeError("unexpected: %s" % sorted(kwargs))

    def __getattr__(self, name):
        attributes = self.__dict__.get("attributes", {})
        if name in attributes:
            return attributes[name]
        raise AttributeError(name)

    def __setattr__(self, name, value):
        if name in self.__dict__.get("attributes", {}):
            self.attributes[name] = value
        else:
            super().__setattr__(name, value)


def _class(*keys):
    class Composite(ArduinoCloudObject):
        def __init__(self, name, **kwargs):
            super().__init__(name, keys=keys, **kwargs)

    return Composite


Color = _class("hue", "sat", "bri")
ColoredLight = _class("swi", "hue", "sat", "bri")
DimmedLight = _class("swi", "bri")
Location = _class("lat", "lon")
Schedule = _class("frm", "to", "len", "msk")
Television = _class("swi", "vol", "mut", "pbc", "inp", "cha")


class ArduinoCloudClient:
    def __init__(self, device_id, username=None, password=None, ssl_params={}, server=None, port=None, keepalive=10, sync_mode=False):
        self.told = {"device_id": device_id, "username": username, "password": password, "server": server, "port": port}
        self.ssl_params = ssl_params
        self.records = {}

    def register(self, thing, **kwargs):
        if isinstance(thing, str):
            thing = ArduinoCloudObject(thing, **kwargs)
        elif kwargs:
            raise TypeError("properties of an object")
        self.records[thing.name] = thing

    def __getitem__(self, name):
        record = self.records[name]
        return record if record.attributes else record.value

    def start(self):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ssl_params.get("verify_mode", ssl.CERT_NONE) != ssl.CERT_REQUIRED:
            raise ValueError("the server is not checked")
        ctx.load_verify_locations(cafile=self.ssl_params.get("cafile"), cadata=self.ssl_params.get("cadata"))
        host = self.ssl_params["server_hostname"]
        with socket.create_connection(("127.0.0.1", self.told["port"]), timeout=20) as plain:
            with ctx.wrap_socket(plain, server_hostname=host) as secure:
                self.told["tls"] = secure.version()
        for name, record in self.records.items():
            hooks = record.hooks
            if "on_read" in hooks:
                record.value = hooks["on_read"](self)
            if "on_run" in hooks:
                hooks["on_run"](self)
            if "on_write" in hooks:
                hooks["on_write"](self, record if record.attributes else record.value)
            self.told.setdefault("records", {})[name] = [sorted(hooks), record.interval, record.attributes or record.value]
        print(json.dumps(self.told))
