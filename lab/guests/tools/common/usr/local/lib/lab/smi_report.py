"""nvidia-smi -q: the long report of a card, in the words of the driver's branch."""

import gpu_state


def address(card):
    """Bus address in nvidia-smi's form: 00000000:00:05.0"""
    return "0000" + card["address"].upper()


def _unit(value, unit):
    return "Unknown Error" if value is None else f"{value} {unit}"


def _watts(card):
    power = gpu_state.power_w(card)
    return "Unknown Error" if power is None else f"{power:.2f} W"


def _active(flag):
    return "Active" if flag else "Not Active"


def _links(card, branch):
    best = card["max_link"]
    generation = {"Max": str(best["generation"]), "Current": str(gpu_state.link_generation(card))}
    if branch >= 515:
        generation |= {"Device Max": str(best["generation"]), "Host Max": "N/A"}
    width = {"Max": f"{best['width']}x", "Current": f"{card['link']['width']}x"}
    return {"PCIe Generation": generation, "Link Width": width}


def _reasons(card):
    throttle = card.get("throttle")
    return {
        "Idle": _active(not gpu_state.is_busy()),
        "Applications Clocks Setting": _active(False),
        "SW Power Cap": _active(throttle == "power_cap"),
        "HW Slowdown": _active(throttle in ("thermal", "power_brake")),
        "    HW Thermal Slowdown": _active(throttle == "thermal"),
        "    HW Power Brake Slowdown": _active(throttle == "power_brake"),
        "Sync Boost": _active(False),
        "SW Thermal Slowdown": _active(throttle == "thermal"),
    }


def _errors(card, modern, branch):
    corrected, uncorrected = card.get("ecc_corrected", 0), card.get("ecc_uncorrected", 0)
    if not card["ecc"]:
        corrected = uncorrected = "N/A"
    if modern:
        counts = {
            "SRAM Correctable": 0,
            "SRAM Uncorrectable": 0,
            "DRAM Correctable": corrected,
            "DRAM Uncorrectable": uncorrected,
        }
        return {"Volatile": counts, "Aggregate": {**counts, **_threshold(card, branch)}, **_repairs(card, branch)}
    zero = "N/A" if corrected == "N/A" else 0

    def memory(count):
        parts = {
            "Device Memory": count,
            "Register File": zero,
            "L1 Cache": "N/A",
            "L2 Cache": zero,
            "Texture Memory": zero,
        }
        return {**parts, "Texture Shared": "N/A", "CBU": "N/A", "Total": count}

    both = {"Single Bit": memory(corrected), "Double Bit": memory(uncorrected)}
    return {"Volatile": both, "Aggregate": both}


def _repairs(card, branch):
    """What drivers since 545 and 570 tell of repairs, below the counters."""
    if not has_row_remapping(card) or branch < 570:
        return {}
    return {
        "Channel Repair Pending": _yes(card.get("channel_repair_pending")),
        "TPC Repair Pending": _yes(card.get("tpc_repair_pending")),
    }


def _threshold(card, branch):
    return {"SRAM Threshold Exceeded": _yes(card.get("sram_threshold_exceeded"))} if branch >= 545 else {}


def _recovery(card, branch):
    """Since 565 one action stands for what were two flags since 530."""
    if branch >= 565:
        return {"GPU Recovery Action": card.get("recovery_action", "None")}
    if branch < 530:
        return {}
    required = _yes(card.get("recovery_action"))
    return {"GPU Reset Status": {"Reset Required": required, "Drain and Reset Recommended": "No"}}


def _fabric(card, branch):
    """Of cards that may stand behind NVSwitches; those that do not have none."""
    if branch < 525 or card["architecture"] not in ("hopper", "blackwell"):
        return {}
    state = card.get("fabric_state", "N/A")
    status = card.get("fabric_status", "Success" if state == "Completed" else "N/A")
    return {"Fabric": {"State": state, "Status": status}}


def _yes(flag):
    return "Yes" if flag else "No"


def _unreadable(tree, names):
    """The tree, with what the driver cannot read in it."""
    lost = {key: "Unknown Error" for key, value in tree.items() if key.strip() in names and not isinstance(value, dict)}
    inner = {key: _unreadable(value, names) for key, value in tree.items() if isinstance(value, dict)}
    return {key: inner.get(key, lost.get(key, value)) for key, value in tree.items()}


def _retired(card):
    if has_row_remapping(card):
        return dict.fromkeys(("Single Bit ECC", "Double Bit ECC", "Pending Page Blacklist"), "N/A")
    return {
        "Single Bit ECC": card.get("retired_single_bit", 0),
        "Double Bit ECC": card.get("retired_double_bit", 0),
        "Pending Page Blacklist": "Yes" if card.get("retirement_pending") else "No",
    }


def has_row_remapping(card):
    """Since Ampere rows are remapped where pages were retired before."""
    return card["architecture"] in ("ampere", "ada", "hopper", "blackwell")


def _remapped(card):
    if not has_row_remapping(card):
        return "N/A"
    return {
        "Correctable Error": 0,
        "Uncorrectable Error": card.get("remapped_rows", 0),
        "Pending": "Yes" if card.get("remap_pending") else "No",
        "Remapping Failure Occurred": "No",
    }


def report(card, index, machine, branch):
    """The card's tree: key -> text or tree."""
    modern = branch >= 450
    domain, bus, rest = card["address"].split(":")
    clock = card["clock_mhz"]
    now = int(clock * gpu_state.clock_share(card))
    ecc_mode = "Enabled" if card["ecc"] else "Disabled"
    mode = "Pass-Through" if machine["kind"] == "guest" else "None"
    limit = f"{card['power_limit_w']}.00 W"
    power = {
        "Power Draw": _watts(card),
        ("Current Power Limit" if branch >= 535 else "Power Limit"): limit,
        "Default Power Limit": limit,
    }
    total = card["memory_mib"]
    tree = {
        "Product Name": card["name"],
        "Product Brand": "Tesla" if "Tesla" in card["name"] else "NVIDIA",
        **({"Product Architecture": card["architecture"].title()} if branch >= 470 else {}),
        "Display Mode": "Enabled",
        "Display Active": "Disabled",
        "Persistence Mode": "Disabled",
        "Serial Number": card["serial"],
        "GPU UUID": card["uuid"],
        "Minor Number": index,
        "VBIOS Version": card["vbios"],
        "GPU Virtualization Mode": {("Virtualization Mode" if modern else "Virtualization mode"): mode},
        **_recovery(card, branch),
        "PCI": {
            "Bus": f"0x{bus.upper()}",
            "Device": f"0x{rest[:2].upper()}",
            "Domain": f"0x{domain}",
            "Device Id": f"0x{card['product_id'].upper()}10DE",
            "Bus Id": address(card),
            "Sub System Id": f"0x{card['subsystem_id'].upper()}10DE",
            "GPU Link Info": _links(card, branch),
            "Replays Since Reset": card.get("replays", 0),
        },
        "Fan Speed": "N/A",
        "Performance State": "P0",
        ("Clocks Event Reasons" if branch >= 535 else "Clocks Throttle Reasons"): _reasons(card),
        "FB Memory Usage": {"Total": f"{total} MiB", "Used": "0 MiB", "Free": f"{total} MiB"},
        "BAR1 Memory Usage": {
            "Total": f"{card['bar1_bytes'] >> 20} MiB",
            "Used": "2 MiB",
            "Free": f"{(card['bar1_bytes'] >> 20) - 2} MiB",
        },
        "Compute Mode": "Default",
        "Utilization": {
            "Gpu": "100 %" if gpu_state.is_busy() else "0 %",
            "Memory": "0 %",
            "Encoder": "0 %",
            "Decoder": "0 %",
        },
        ("ECC Mode" if branch >= 510 else "Ecc Mode"): {"Current": ecc_mode, "Pending": ecc_mode},
        "ECC Errors": _errors(card, card["architecture"] not in ("pascal", "volta"), branch),
        "Retired Pages": _retired(card),
        **({"Remapped Rows": _remapped(card)} if modern else {}),
        "Temperature": {"GPU Current Temp": _unit(gpu_state.temperature_c(card), "C")},
        ("GPU Power Readings" if branch >= 535 else "Power Readings"): power,
        "Clocks": {"Graphics": f"{now} MHz", "SM": f"{now} MHz", "Memory": f"{card['memory_clock_mhz']} MHz"},
        "Max Clocks": {"Graphics": f"{clock} MHz", "SM": f"{clock} MHz", "Memory": f"{card['memory_clock_mhz']} MHz"},
        **_fabric(card, branch),
        "Processes": "None",
    }
    return _unreadable(tree, card.get("unreadable_fields", ()))


def lines(tree, width, depth=1):
    """The tree as nvidia-smi prints it, its values in one column."""
    for key, value in tree.items():
        margin = "    " * depth
        if isinstance(value, dict):
            yield f"{margin}{key}"
            yield from lines(value, width, depth + 1)
        else:
            yield f"{margin + key:<{width}}: {value}"
