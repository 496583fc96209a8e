"""ML2 mechanism driver: every port is bound at once, since machines share the loopback interface."""

import os

from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api

from lab.paths import LabPaths
from lab.state import load


class LabMechanismDriver(api.MechanismDriver):
    """Binds a port to the first segment that Neutron offers."""

    def initialize(self):
        self._metal = frozenset(load(LabPaths.of(os.environ["LAB_NAME"])).metal)

    @property
    def connectivity(self):
        return portbindings.CONNECTIVITY_L2

    def bind_port(self, context):
        # a virtual machine has no Open vSwitch: libvirt's driver makes a tap device there, and nothing is behind it
        kind = portbindings.VIF_TYPE_TAP if context.host in self._metal else portbindings.VIF_TYPE_OVS
        for segment in context.segments_to_bind[:1]:
            details = {portbindings.CAP_PORT_FILTER: True, portbindings.VIF_DETAILS_CONNECTIVITY: self.connectivity}
            context.set_binding(segment[api.ID], kind, details, status=constants.PORT_STATUS_ACTIVE)
