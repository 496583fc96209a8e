"""Scheduler filters that older releases had and today's Nova has not; Placement does their work."""

from nova.scheduler import filters


class _PassesEveryHost(filters.BaseHostFilter):
    def host_passes(self, host_state, spec_obj):
        return True


class AvailabilityZoneFilter(_PassesEveryHost):
    """Until 2023: availability zones, which Placement aggregates replaced."""


class RamFilter(_PassesEveryHost):
    """Until Stein: memory."""


class CoreFilter(_PassesEveryHost):
    """Until Stein: vCPUs."""


class DiskFilter(_PassesEveryHost):
    """Until Stein: disk."""


class RetryFilter(_PassesEveryHost):
    """Until Ussuri: hosts that failed before."""


class AggregateCoreFilter(_PassesEveryHost):
    """Until Ussuri: vCPU ratio by aggregate."""


class AggregateRamFilter(_PassesEveryHost):
    """Until Ussuri: memory ratio by aggregate."""


class AggregateDiskFilter(_PassesEveryHost):
    """Until Ussuri: disk ratio by aggregate."""
