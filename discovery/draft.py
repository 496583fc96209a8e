"""A cloud file in the making: what was seen, as its sections, and a question wherever the answer was not seen."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from access.redaction import without_secrets
from cloud_file.deployer import deployer_of
from cloud_file.ranges import expanded
from discovery import cuda
from discovery.cloud_facts import CloudFacts, ImageSummary, free_range
from discovery.host_facts import CLOUD, TRIPLEO_SIGN
from discovery.machines import Access, listed, shown_path, usual_access
from discovery.matching import Found, of_another_cloud
from discovery.shortening import shortened
from probes.openstack import nova_release
from probes.openstack.held_cards import ALIAS
from probes.openstack.nova import FlavorFacts
from probes.references import NVIDIA_VENDOR_ID, gpu_models
from probes.references.products import nvidia_products
from provisioning.recognition import shown_by

PREFIX = "gpuacc"
TENANT = "gpu-acceptance"
SMALL = {"vcpus": 8, "memory_mb": 16384}
"""An instance with one card, where nothing tells how large a host is."""
DISK_GB = 40
OURS = re.compile(rf"^{PREFIX}[0-9]*-")
UNUSUAL = re.compile(r"[^A-Za-z0-9._-]+")
"""What names of a cloud file do not have."""
MEMBER_ROLES = ("member", "_member_", "Member")


@dataclass
class Draft:
    """The sections with their remarks and questions, by key; "" for the head of the file."""

    content: dict[str, Any] = field(default_factory=dict)
    questions: dict[str, list[str]] = field(default_factory=dict)
    notes: dict[str, list[str]] = field(default_factory=dict)
    examples: dict[str, Any] = field(default_factory=dict)
    """What a section that could not be filled would look like."""

    def ask(self, key: str, question: str) -> None:
        """A question that stands above a section."""
        self.questions.setdefault(key, []).append(without_secrets(question))

    def note(self, key: str, remark: str) -> None:
        """A remark that stands above a section."""
        self.notes.setdefault(key, []).append(remark)

    @property
    def open(self) -> list[str]:
        """All questions, in the order of the file."""
        return [question for each in self.questions.values() for question in each]


@dataclass(frozen=True)
class Seen:
    """All that a draft is made from."""

    os_cloud: str
    cloud: CloudFacts
    hosts: tuple[Found, ...]
    placement_cards: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Cards by product id of hosts that could not be looked at, as Placement has them."""
    questions: tuple[str, ...] = ()


def draft(seen: Seen) -> Draft:
    """The cloud file of what was seen."""
    made = _Drafting(seen)
    steps: tuple[Callable[[], None], ...] = (
        made.head,
        made.access,
        made.deployer,
        made.host_list,
        made.gpus,
        made.aliases,
        made.image,
        made.flavors_and_guests,
        made.tenant,
        made.networks,
        made.cuda,
    )
    for step in steps:
        step()
    return made.draft


class _Drafting:
    def __init__(self, seen: Seen) -> None:
        self.seen = seen
        self.cloud = seen.cloud
        self.draft = Draft()
        self.declared: list[tuple[Found, dict[str, int]]] = []
        """Hosts of the file with their cards, number by product id."""
        self.models: dict[str, str] = {}
        """Model by product id."""
        self.picture: ImageSummary | None = None

    def head(self) -> None:
        """What the file is of."""
        self.draft.content["kind"] = "existing"
        self.draft.content["prefix"] = self._prefix()
        self.draft.content["openstack"] = {"cloud": self.seen.os_cloud}
        if self.cloud.microversion is not None:
            found = nova_release.versions_of(self.cloud.microversion)
            shown = ".".join(map(str, self.cloud.microversion))
            names = nova_release.names_of(found)
            self.draft.note("", f"Nova answers microversion {shown}{f': {names}' if names else ''}.")
        for question in (*self.seen.questions, *self.cloud.questions):
            self.draft.ask("", question)
        self._rights()

    def _prefix(self) -> str:
        """One that nothing in the cloud begins with: another cloud file may use it there."""
        named = [flavor.name for flavor in self.cloud.flavors or ()]
        named += [image.name for image in self.cloud.images or ()]
        named += self.cloud.external_networks or ()
        candidates = (PREFIX, *(f"{PREFIX}{number}" for number in range(2, 100)))
        return next(each for each in candidates if not any(name.startswith(f"{each}-") for name in named))

    def _rights(self) -> None:
        own = self.cloud.own_roles
        if own is not None and "admin" not in own:
            self.draft.ask(
                "openstack",
                f"this login has the roles {', '.join(own) or 'none'} and not admin: a run makes project, user and "
                "flavors; is there a login that may?",
            )
        if self.cloud.api_services is not None and "orchestration" not in self.cloud.api_services:
            self.draft.ask("openstack", "the catalogue has no Heat (orchestration): is it there under another name?")

    def access(self) -> None:
        """How most hosts are reached; those that are reached otherwise are named."""
        machines = [host.facts.machine for host in self.seen.hosts if host.facts]
        usual = usual_access(machines)
        self.draft.content["overcloud_access"] = _access(usual)
        others = [machine.name for machine in machines if machine.access != usual]
        if others:
            self.draft.ask(
                "overcloud_access", f"{listed(others)}: reached with another user, port or key: how by these?"
            )
        if not machines:
            self.draft.ask("overcloud_access", "no host was named and none was found: how are they reached?")

    def deployer(self) -> None:
        """The deployer that the hosts show, and the engine of Nova's containers where it is not the usual one."""
        signs = [host.facts.signs for host in self.seen.hosts if host.facts and host.facts.signs]
        shown = shown_by(CLOUD, signs)
        if shown.deployer:
            self.draft.content["deployer"] = shown.deployer
            if shown.nova.container_engine:
                self.draft.content["nova"] = {"container_engine": shown.nova.container_engine}
            self.draft.note("deployer", f"By what the hosts have: {deployer_of(shown).title}.")
        elif any(TRIPLEO_SIGN in each.paths for each in signs):
            self.draft.ask("deployer", "the hosts are TripleO's: which release (`deployer: tripleo`, `release: …`)?")
        elif signs:
            self.draft.ask(
                "deployer",
                "no deployer, or more than one, shows itself on the hosts: which one is it (docs/index.md lists them)? "
                "Without it settings are called as nova.conf calls them",
            )

    def host_list(self) -> None:
        """Controllers, and computes with cards; the others are named in a remark."""
        self.declared = [(host, self._cards(host)) for host in self.seen.hosts]
        without = [host.name for host, cards in self.declared if host.is_compute and not cards and _is_seen(host)]
        self.declared = [
            (host, cards)
            for host, cards in self.declared
            if host.is_controller or (host.is_compute and (cards or not _is_seen(host)))
        ]
        self.draft.content["hosts"] = shortened([self._entry(host, cards) for host, cards in self.declared])
        if without:
            self.draft.note("hosts", f"Computes without NVIDIA cards are left out: {listed(without)}.")
        self._questions_of_hosts()

    def _cards(self, host: Found) -> dict[str, int]:
        if host.facts is not None and not host.facts.failure:
            return dict(Counter(card.product_id for card in host.facts.cards))
        return dict(self.seen.placement_cards.get(host.name, {}))

    def _entry(self, host: Found, cards: Mapping[str, int]) -> dict[str, Any]:
        role = ("Controller" if host.is_controller else "") + ("Compute" if host.is_compute else "")
        entry: dict[str, Any] = {"name": host.name, "role": role}
        if host.address:
            entry["address"] = host.address
        facts = host.facts
        if facts is not None and facts.firmware and cards:
            entry["firmware"] = facts.firmware
        if facts is not None and facts.cpu_vendor and cards:
            entry["cpu_vendor"] = facts.cpu_vendor
        if cards:
            entry["gpus"] = [{"model": self._model(product), "count": count} for product, count in cards.items()]
        return entry

    def _model(self, product_id: str) -> str:
        if product_id not in self.models:
            self.models[product_id] = self._named(product_id)
        return self.models[product_id]

    def _named(self, product_id: str) -> str:
        fitting = [model for model in gpu_models().values() if product_id in model.product_ids]
        if fitting:
            if len(fitting) > 1:
                names = ", ".join(model.model for model in fitting)
                self.draft.ask("gpus", f"the id {product_id} belongs to {names}: which one is it?")
            return fitting[0].model
        product = nvidia_products().get(product_id)
        name = UNUSUAL.sub("-", product.name if product else "").strip("-")
        known = product is not None and product.architecture is not None
        figures = "name and architecture are here, which further facts are known" if known else "what is it"
        self.draft.ask(
            "gpus",
            f"{NVIDIA_VENDOR_ID}:{product_id} ({name or 'no known card'}) is not in the reference data: {figures}?",
        )
        return name[:60] or f"{NVIDIA_VENDOR_ID}-{product_id}".upper()

    def _questions_of_hosts(self) -> None:
        ask = self.draft.ask
        unseen = [host for host, _ in self.declared if not _is_seen(host)]
        for is_compute, missing in ((False, "by which address is it reached"), (True, "which cards, which firmware")):
            kinds = ((_kind_of_failure(host), host.name) for host in unseen if host.is_compute == is_compute)
            for failure, names in _grouped(kinds):
                ask("hosts", f"{listed(names)}: not looked at: {failure}: {missing}?")
        for host in self.seen.hosts:
            for question in _questions_of(host, self.cloud):
                ask("hosts", question)
        if not any(host.is_controller for host in self.seen.hosts):
            ask("hosts", "no controller was found: which hosts run Nova's API and scheduler (role: Controller)?")
        if self.cloud.hypervisors is not None and not self.cloud.hypervisors:
            ask("hosts", "Nova has no compute at all: is this the right cloud, the right region?")
        if not any(cards for _, cards in self.declared):
            ask("hosts", "no host was seen to have NVIDIA cards: which ones have, and how many?")

    def gpus(self) -> None:
        """One entry for each kind of card."""
        kinds: dict[str, str] = {}
        for host in self.seen.hosts:
            for card in host.facts.cards if host.facts else ():
                kinds.setdefault(card.product_id, card.device_type)
        for product_id, model in self.models.items():
            known = gpu_models().get(model)
            kinds.setdefault(product_id, (known.device_type if known else None) or "type-PCI")
            entry: dict[str, Any] = {"model": model, "vendor_id": NVIDIA_VENDOR_ID, "product_id": product_id}
            entry["device_type"] = kinds[product_id]
            product = nvidia_products().get(product_id)
            if known is None and product is not None and product.architecture is not None:
                entry["facts"] = {"name": product.name, "architecture": product.architecture}
            self.draft.content.setdefault("gpus", []).append(entry)
        if not self.models:
            self.draft.ask("gpus", "no card was seen: which models are there?")
            self.draft.examples["gpus"] = [
                {
                    "model": "H100-PCIE-80GB",
                    "vendor_id": NVIDIA_VENDOR_ID,
                    "product_id": "2331",
                    "device_type": "type-PF",
                }
            ]

    def aliases(self) -> None:
        """The aliases of nova-api, or of the computes where it could not be read, that stand for these cards."""
        found = self._nova_aliases()
        entries: dict[str, dict[str, Any]] = {}
        for alias in found:
            product = self._product_of(alias)
            if product is not None:
                entry = {"name": str(alias["name"]), "gpu": self.models[product]}
                policy = alias.get("numa_policy")
                entries.setdefault(entry["name"], {**entry, **({"numa_policy": policy} if policy else {})})
        self.draft.content["aliases"] = list(entries.values())
        if entries:
            missing = sorted(set(self.models.values()) - {entry["gpu"] for entry in entries.values()})
            if missing:
                self.draft.ask(
                    "aliases", f"Nova's configuration has no alias for {listed(missing)}: is one missing there?"
                )
            return
        if self.models:
            why = "Nova's configuration has no alias for these cards" if found else "no alias of Nova was seen"
            self.draft.ask("aliases", f"{why}: by which name do flavors ask for them? The names below are proposals")
            for model in self.models.values():
                self.draft.content["aliases"].append({"name": model.split("-")[0].lower(), "gpu": model})
            return
        del self.draft.content["aliases"]
        self.draft.ask("aliases", "by which alias do flavors ask for the cards?")
        self.draft.examples["aliases"] = [{"name": "h100", "gpu": "H100-PCIE-80GB"}]

    def _nova_aliases(self) -> list[dict[str, Any]]:
        hosts = [host.facts for host in self.seen.hosts if host.facts]
        for service in ("nova-api", "nova-compute"):
            found = [alias for facts in hosts for alias in facts.aliases.get(service, ()) if alias.get("name")]
            if found:
                return found
        return []

    def _product_of(self, alias: Mapping[str, Any]) -> str | None:
        """The product id of the cards that an alias stands for; None for other devices."""
        product = str(alias.get("product_id") or "").lower()
        if product:
            vendor = str(alias.get("vendor_id") or NVIDIA_VENDOR_ID).lower()
            return product if product in self.models and vendor == NVIDIA_VENDOR_ID else None
        wanted = str(alias.get("resource_class") or "").upper().removeprefix("CUSTOM_")
        cards = [card for host in self.seen.hosts if host.facts for card in host.facts.cards]
        classes = {card.resource_class.upper().removeprefix("CUSTOM_"): card.product_id for card in cards}
        classes |= {f"PCI_{NVIDIA_VENDOR_ID}_{card.product_id}".upper(): card.product_id for card in cards}
        found = classes.get(wanted) if wanted else None
        return found if found in self.models else None

    def image(self) -> None:
        """The image that most looks like one for cards."""
        images = sorted(self.cloud.images or (), key=_likelihood)
        if not images:
            self.draft.ask(
                "image", "no image was seen: which one has kernel-devel of its own kernel, gcc, make, pciutils?"
            )
            self.draft.examples["image"] = {"name": "rocky-9-gpu", "ssh_user": "rocky"}
            return
        self.picture = images[0]
        user = self.picture.user or cuda.user_of(self.picture.distribution)
        self.draft.content["image"] = {"name": self.picture.reference, "ssh_user": user or "cloud-user"}
        if self.picture.reference != self.picture.name:
            self.draft.note("image", f"The id of {self.picture.name!r}: cloud files take names without blanks.")
        self.draft.note("image", "A run needs in it: kernel-devel of its own kernel, gcc, make, pciutils, wget.")
        others = [image.name for image in images[1:]]
        if others:
            self.draft.ask("image", f"of {len(images)} images this one was taken; or {listed(others)}?")
        if user is None:
            self.draft.ask("image", "who logs in to it? Its name and properties do not tell its distribution")

    def flavors_and_guests(self) -> None:
        """Flavors as the cloud has them for these aliases, or proposals; and instances that have all cards but one."""
        names = {alias["name"]: alias["gpu"] for alias in self.draft.content.get("aliases", ())}
        if not names:
            self.draft.ask("flavors", "which flavors ask for the cards, and which instances are to be made with them?")
            self.draft.examples["flavors"] = [
                {"name": "gpu.one", **SMALL, "disk_gb": DISK_GB, "aliases": {"h100": 1}},
            ]
            self.draft.examples["guests"] = [{"name": "one-card", "flavor": "gpu.one"}]
            return
        existing = [flavor for flavor in self.cloud.flavors or () if set(_aliases_of(flavor)) <= set(names)]
        wanted = _Instances(self.declared, self.models, names, existing, self._free())
        flavors, guests, excused = wanted.plan()
        self.draft.content |= {"flavors": flavors, "guests": guests}
        copied = [flavor["name"] for flavor in flavors if flavor["name"] in wanted.copied]
        if copied:
            self.draft.note("flavors", f"Sizes of {listed(copied)} are those of the cloud's own flavors for cards.")
        if len(copied) < len(flavors):
            self.draft.note("flavors", "The others are proposals: let an instance have its share of a host.")
        if excused:
            self.draft.content["excused_cards"] = excused

    def _free(self) -> dict[str, int]:
        """Cards by host that nobody uses now."""
        held: Counter[str] = Counter()
        for holder in self.cloud.holders or ():
            held[holder.host] += holder.cards
        return {host.name: max(0, sum(cards.values()) - held[host.name]) for host, cards in self.declared}

    def tenant(self) -> None:
        """A project and user of our own, with the quota that the instances need."""
        sizes = {flavor["name"]: flavor for flavor in self.draft.content.get("flavors", ())}
        used = [sizes[guest["flavor"]] for guest in self._guests()]
        largest = max(sizes.values(), key=lambda size: int(size["vcpus"]), default=SMALL)
        quota = {  # the suites make some instances of their own beside the guests
            "cores": sum(size["vcpus"] for size in used) + 4 * largest["vcpus"],
            "memory_mb": sum(size["memory_mb"] for size in used) + 4 * largest["memory_mb"],
            "instances": len(used) + 8,
        }
        tenant: dict[str, Any] = {"project": TENANT, "user": TENANT, "quota": quota}
        roles = self.cloud.roles
        if roles is not None and "member" not in roles:
            role = next((each for each in MEMBER_ROLES if each in roles), None)
            tenant["roles"] = [role or roles[0]] if roles else ["member"]
            if role is None:
                self.draft.ask(
                    "tenant", f"there is no role member; which of {listed(roles)} lets a user make instances?"
                )
        self.draft.content["tenant"] = tenant
        self.draft.note("tenant", "Made by the run and removed by it.")

    def _guests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = expanded({"guests": self.draft.content.get("guests", [])}).content["guests"]
        return found

    def networks(self) -> None:
        """The external network as it is, and a range for the tenant's that overlaps with none."""
        external = self.cloud.external_networks or ()
        name = external[0] if external else None
        if name is None:
            self.draft.ask("networks", "no external network was seen: which one do floating IPs come from?")
            name = "public"
        elif len(external) > 1:
            self.draft.ask(
                "networks", f"of {len(external)} external networks this one was taken; or {listed(external[1:])}?"
            )
        cidr = free_range(self.cloud.used_ranges or ())
        self.draft.content["networks"] = {
            "external": {"name": name, "existing": True},
            "tenant": {"name": "tenant", "cidr": cidr},
        }

    def cuda(self) -> None:
        """A proposal: no cloud tells what its users install."""
        distribution = self.picture.distribution if self.picture else ""
        version = self.picture.version if self.picture else ""
        found = cuda.proposal(distribution, version, self.models)
        if found is None:
            what = f"{distribution} {version}".strip() or "an image of unknown distribution"
            self.draft.ask("cuda", f"which driver and toolkit does an instance install on {what}?")
            self.draft.examples["cuda"] = cuda.proposal("rocky", "9", ["2331"])
            return
        self.draft.content["cuda"] = found
        self.draft.note("cuda", f"A proposal for {distribution} {version} and these cards; pin what you support.")


@dataclass
class _Instances:
    """Instances that together have every card that is free but one, and the flavors that they need."""

    hosts: Sequence[tuple[Found, Mapping[str, int]]]
    models: Mapping[str, str]
    aliases: Mapping[str, str]
    existing: Sequence[FlavorFacts]
    free: Mapping[str, int]
    copied: set[str] = field(default_factory=set)

    def plan(self) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
        """Flavors, guests, and the cards that are left out with the reason."""
        wanted: list[tuple[str, int]] = []  # model and cards of each instance
        excused: list[dict[str, Any]] = []
        by_size = sorted(self._hosts(), key=lambda each: -each[2])
        spare = _spare(by_size)
        for name, model, count, free in by_size:
            if free < count:
                excused.append({"host": name, "cards": count - free, "reason": "in use by instances of others"})
            usable = free - 1 if (name, model) == spare else free
            wanted += [(model, count)] if usable == count else [(model, 1)] * usable
        if spare:
            reason = "one card stays free for the suites that make and move instances of their own"
            excused.append({"cards": 1, "reason": reason})
        # instances that need a whole host come first, else small ones take a card of each host
        kinds = sorted(Counter(wanted).items(), key=lambda each: (-each[0][1], each[0][0]))
        flavors, guests = [], []
        for (model, count), number in kinds:
            flavor = self._flavor(model, count)
            flavors.append(flavor)
            name = "one-card" if count == 1 else f"{count}-cards"
            if len({model for (model, _), _ in kinds}) > 1:
                name = f"{next(iter(flavor['aliases']))}-{name}"
            digits = len(str(number))
            name += f"-[{1:0{digits}d}:{number}]" if number > 1 else ""
            guests.append({"name": name, "flavor": flavor["name"]})
        return flavors, guests, excused

    def _hosts(self) -> Iterator[tuple[str, str, int, int]]:
        """Name, model, cards and free ones, for each kind of cards of a host that has an alias."""
        known = set(self.aliases.values())
        for host, cards in self.hosts:
            used = sum(cards.values()) - self.free[host.name]
            for product_id, count in cards.items():
                taken, model = min(count, used), self.models[product_id]
                used -= taken
                if model in known:
                    yield host.name, model, count, count - taken

    def _flavor(self, model: str, count: int) -> dict[str, Any]:
        alias = next(name for name, gpu in self.aliases.items() if gpu == model)
        for flavor in self.existing:
            asked = _aliases_of(flavor)
            if sum(asked.values()) == count and all(self.aliases[name] == model for name in asked) and flavor.disk_gb:
                return self._copy(flavor, asked)
        size = {key: value * count for key, value in SMALL.items()}
        return {"name": f"{alias}.{count}", **size, "disk_gb": DISK_GB, "aliases": {alias: count}}

    def _copy(self, flavor: FlavorFacts, asked: Mapping[str, int]) -> dict[str, Any]:
        name = UNUSUAL.sub("-", OURS.sub("", flavor.name)).lstrip("-._")[:60]
        self.copied.add(name)
        specs = {key: value for key, value in flavor.extra_specs.items() if key != ALIAS}
        found = {"name": name, "vcpus": flavor.vcpus, "memory_mb": flavor.ram_mb, "disk_gb": flavor.disk_gb}
        return {**found, "aliases": dict(asked), **({"extra_specs": specs} if specs else {})}


def _spare(hosts: Sequence[tuple[str, str, int, int]]) -> tuple[str, str] | None:
    """The host that keeps a card free: a small one of which nobody uses a card; None where there is but one card."""
    whole = [(name, model) for name, model, count, free in hosts if free == count]
    return whole[-1] if whole and sum(free for *_, free in hosts) > 1 else None


def _aliases_of(flavor: FlavorFacts) -> dict[str, int]:
    words = [word.strip().partition(":") for word in flavor.extra_specs.get(ALIAS, "").split(",") if word.strip()]
    counts: Counter[str] = Counter()
    for name, _, count in words:
        counts[name] += int(count) if count.strip().isdigit() else 1
    return dict(counts)


def _is_seen(host: Found) -> bool:
    return host.facts is not None and not host.facts.failure


def _access(access: Access) -> dict[str, Any]:
    found = {
        "user": access.user,
        "port": access.port if access.port != 22 else None,
        "key_file": shown_path(access.key_file),
        "known_hosts": shown_path(access.known_hosts),
        "bastions": [bastion.model_dump(mode="json", exclude_none=True) for bastion in access.bastions],
    }
    return {key: value for key, value in found.items() if value}


def _likelihood(image: ImageSummary) -> tuple[bool, bool, bool, str]:
    """Images for cards first, then those of a known distribution."""
    words = ("gpu", "cuda", "nvidia")
    tiny = "cirros" in image.name.lower() or "amphora" in image.name.lower()
    return (tiny, not any(word in image.name.lower() for word in words), not image.distribution, image.name)


def _kind_of_failure(host: Found) -> str:
    if host.facts is None:
        return "no machine is known for it"
    # the same failure of many hosts differs in their names and addresses only
    said = host.facts.failure
    for part in (host.facts.machine.name, host.facts.machine.address):
        said = said.replace(part, "HOST")
    return said


def _grouped(pairs: Iterator[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for key, value in pairs:
        found.setdefault(key, []).append(value)
    return list(found.items())


def _questions_of(host: Found, cloud: CloudFacts) -> Iterator[str]:
    """What is strange about one machine that answers."""
    facts = host.facts
    if facts is None or facts.failure:
        return
    name = facts.machine.name
    if of_another_cloud(cloud, facts):
        yield f"{name}: its nova-compute is known to another Nova than this one: is it a host of another cloud?"
    elif cloud.hypervisors is not None and not host.is_compute and facts.present:
        yield f"{name} has {len(facts.present)} NVIDIA cards, and Nova knows no compute of that name: should it be one?"
    given = len(facts.given) if facts.given is not None else None
    if given is not None and 0 < given < len(facts.present):
        yield f"{name} has {len(facts.present)} cards, of which device_spec gives {given} away: is that meant?"
    if given == 0 and facts.present and host.is_compute:
        yield f"{name} has {len(facts.present)} cards, and device_spec there gives none away: is that meant?"
    if facts.virtual_functions:
        yield f"{name} shows {facts.virtual_functions} virtual functions of cards: only whole cards are declared here"
    for unread in facts.unread:
        yield f"{name}: not read: {unread}"
