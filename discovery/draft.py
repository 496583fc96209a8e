"""A cloud file in the making: what was seen, as its sections, and a question wherever the answer was not seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from access.redaction import without_secrets
from cloud_file.deployer import deployer_of
from cloud_file.ranges import expanded
from discovery import cuda, host_questions
from discovery.cloud_facts import CloudFacts, ImageSummary, free_range
from discovery.host_facts import CLOUD, TRIPLEO_SIGN
from discovery.instances import DISK_GB, PREFIX, SMALL, UNUSUAL, Instances
from discovery.machines import Access, listed, shown_path, usual_access
from discovery.matching import Found
from discovery.shortening import shortened
from probes import alias_request
from probes.openstack import nova_release
from probes.references import NVIDIA_VENDOR_ID, gpu_models
from probes.references.products import nvidia_products
from provisioning.recognition import shown_by

TENANT = "gpu-acceptance"
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
        without = [
            host.name for host, cards in self.declared if host.is_compute and not cards and host_questions.is_seen(host)
        ]
        self.declared = [
            (host, cards)
            for host, cards in self.declared
            if host.is_controller or (host.is_compute and (cards or not host_questions.is_seen(host)))
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
        unseen = [host for host, _ in self.declared if not host_questions.is_seen(host)]
        for is_compute, missing in ((False, "by which address is it reached"), (True, "which cards, which firmware")):
            kinds = (
                (host_questions.kind_of_failure(host), host.name) for host in unseen if host.is_compute == is_compute
            )
            for failure, names in host_questions.grouped(kinds):
                ask("hosts", f"{listed(names)}: not looked at: {failure}: {missing}?")
        for host in self.seen.hosts:
            for question in host_questions.questions_of(host, self.cloud):
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
        existing = [
            flavor
            for flavor in self.cloud.flavors or ()
            if set(alias_request.of_flavor(flavor.extra_specs)) <= set(names)
        ]
        wanted = Instances(self.declared, self.models, names, existing, self._free())
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
