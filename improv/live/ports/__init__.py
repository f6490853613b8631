"""MIDI ports: virtual ones, and those of devices and programs, kept connected while they come and go.

These modules alone touch rtmidi.
"""

from improv.live.ports.patchbay import Patchbay, PortList, list_ports
from improv.live.ports.port import InputPort, OutputPort, Port

__all__ = ["InputPort", "OutputPort", "Patchbay", "Port", "PortList", "list_ports"]
