"""The package database of an emulated RHEL machine, and what its packages do when they are installed."""

import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, "/usr/local/lib/lab")
import kernel
import kernel_object

DATABASE = "/var/lib/lab/packages.json"
PROGRAMS = "/usr/local/lib/lab/programs"
REQUIRES = {
    "cuda-9-0": ("cuda-toolkit-9-0", "cuda-samples-9-0", "cuda-drivers"),
    "cuda-9-2": ("cuda-toolkit-9-2", "cuda-samples-9-2", "cuda-drivers"),
    "cuda": ("cuda-toolkit-13-2", "cuda-drivers"),
    "cuda-drivers": ("dkms",),
    "nvidia-driver-open": ("dkms",),
    "nvidia-vgpu": ("dkms",),
}
RELEASE_PACKAGES = {"cuda-repo": "cuda", "epel-release": "epel"}
REPOSITORY_KEYS = {"cuda-repo": "7fa2af80"}
"""Key that a release package brings; its repository may be signed with another by now."""
DRIVERS = ("cuda-drivers", "nvidia-driver", "nvidia-vgpu")
SAMPLES = ("deviceQuery", "bandwidthTest", "p2pBandwidthLatencyTest", "simpleP2P", "matrixMul")
BINARIES = {
    "gcc": "/usr/bin",
    "make": "/usr/bin",
    "dkms": "/usr/sbin",
    "nvbandwidth": "/usr/bin",
    "gpu-burn": "/usr/bin",
}
"""Packages that are one program, and where it goes."""
ARCH = ".x86_64"


class Refused(Exception):
    """What yum or rpm answers instead of installing."""


def load():
    """The database: installed (name -> versions), repos, registered."""
    try:
        with open(DATABASE) as stream:
            return json.load(stream)
    except FileNotFoundError:
        return {"installed": {}, "repos": [], "registered": False}


def store(data):
    """Write the database, whole or not at all."""
    os.makedirs(os.path.dirname(DATABASE), exist_ok=True)
    with open(DATABASE + ".new", "w") as stream:
        json.dump(data, stream, indent=1)
    os.replace(DATABASE + ".new", DATABASE)


def all_repositories():
    """The world's repositories: name -> {"packages", "needs_registration", "key"}."""
    with open("/usr/local/lib/lab/repositories.json") as stream:
        return json.load(stream)


def available(data):
    """Packages of the enabled repositories: name -> versions, oldest first."""
    repositories = all_repositories()
    found = {}
    for name in data["repos"]:
        repository = repositories.get(name, {"packages": {}})
        if not repository.get("needs_registration") or data["registered"]:
            for package, versions in repository["packages"].items():
                found.setdefault(package, []).extend(versions)
    return found


def version_key(version):
    """Sort key in which 1160 is newer than 693."""
    return [int(part) for part in re.findall(r"\d+", version)]


def find(word, packages):
    """Name and version that a word of the command line means; None when there is no such package."""
    word = word.removesuffix(ARCH)
    if word in packages:
        return word, max(packages[word], key=version_key)
    for name, versions in packages.items():
        for version in versions:
            if word in (f"{name}-{version}", f"{name}-{version.rsplit('-', 1)[0]}"):
                return name, version
    return None


def install(data, words, say=print):
    """Install packages by name, name-version or URL.

    Raises:
        Refused: nothing to do, in yum's words.
    """
    done = 0
    for word in words:
        if "://" in word or word.endswith(".rpm"):
            done += _install_file(data, word, say)
            continue
        packages = available(data)
        match = find(word, packages)
        if match is None:
            known = find(word, data["installed"])
            if known is None:
                say(f"No package {word} available.")
            else:
                say(f"Package {known[0]}-{known[1]}{ARCH} already installed and latest version")
                done += 1
            continue
        done += 1
        _install_one(data, *match, say)
    if not done:
        raise Refused("Error: Nothing to do")


def _install_file(data, word, say):
    file = word.rsplit("/", 1)[-1]
    for prefix, repository in RELEASE_PACKAGES.items():
        if file.startswith(prefix):
            if repository not in data["repos"]:
                data["repos"].append(repository)
            data.setdefault("keys", []).append(REPOSITORY_KEYS.get(prefix, ""))
            data["installed"].setdefault(prefix, []).append(re.sub(r"^[a-z-]+|\.rpm$", "", file) or "1")
            store(data)
            say(f"  Installing : {file}")
            return 1
    raise Refused(
        f"curl: (6) Could not resolve host: {word.split('/')[2] if '://' in word else word}\n"
        f"error: skipping {word} - transfer failed"
    )


def _install_one(data, name, version, say):
    versions = data["installed"].get(name, [])
    if version in versions:
        say(f"Package {name}-{version}{ARCH} already installed and latest version")
        return
    for required in REQUIRES.get(name, ()):
        match = find(required, available(data))
        if match and required not in data["installed"]:
            _install_one(data, *match, say)
    _check_signature(data, name, version)
    say(f"  Installing : {name}-{version}{ARCH}")
    data["installed"][name] = [*versions, version] if name in ("kernel", "kernel-devel") else [version]
    store(data)
    _scriptlet(data, name, version, say)


def remove(data, words, say=print):
    """Remove packages and what they put where programs are looked for."""
    for word in words:
        match = find(word, data["installed"])
        if match is None:
            say(f"No Match for argument: {word}")
            continue
        name = match[0]
        say(f"  Erasing    : {name}-{match[1]}{ARCH}")
        versions = data["installed"].pop(name)
        store(data)
        if name in BINARIES:
            os.unlink(f"{BINARIES[name]}/{name.replace('-', '_')}")
        for version in versions if name == "kernel-devel" else ():
            shutil.rmtree(f"/usr/src/kernels/{version}{ARCH}", ignore_errors=True)


def _check_signature(data, name, version):
    """Raises Refused when the repository is signed with a key that its release package did not bring."""
    for repository in data["repos"]:
        content = all_repositories().get(repository, {})
        key = content.get("key")
        if version in content.get("packages", {}).get(name, ()) and key and key not in data.get("keys", ()):
            raise Refused(f"\n\nPublic key for {name}-{version}{ARCH}.rpm is not installed")


def _scriptlet(data, name, version, say):
    if name == "kernel":
        release = version + ARCH
        for path in (f"/boot/vmlinuz-{release}", f"/boot/initramfs-{release}.img"):
            open(path, "w").close()
        shutil.copytree(f"/usr/lib/modules/{_some_kernel()}", f"/usr/lib/modules/{release}", dirs_exist_ok=True)
        target = (
            "/boot/efi/EFI/redhat/grub.cfg"
            if os.path.exists("/boot/efi/EFI/redhat/grub.cfg")
            else "/boot/grub2/grub.cfg"
        )
        subprocess.run(["/usr/sbin/grub2-mkconfig", "-o", target], stderr=subprocess.DEVNULL, check=False)
    elif name == "kernel-devel":
        os.makedirs(f"/usr/src/kernels/{version}{ARCH}", exist_ok=True)
    elif name in BINARIES:
        program = name.replace("-", "_")
        shutil.copy2(f"{PROGRAMS}/{program}", f"{BINARIES[name]}/{program}")
    elif name.startswith(DRIVERS):
        flavour = "open" if "open" in name else "vgpu" if "vgpu" in name else "proprietary"
        _driver(data, version.rsplit("-", 1)[0], flavour, say)
    elif name.startswith("cuda-toolkit"):
        _toolkit(name, version)
    elif name.startswith("cuda-samples"):
        _samples(name)


def _some_kernel():
    return sorted(os.listdir("/usr/lib/modules"))[0]


def _driver(data, version, flavour, say):
    os.makedirs("/etc/modprobe.d", exist_ok=True)
    with open("/etc/modprobe.d/nvidia.conf", "w") as stream:
        stream.write("blacklist nouveau\noptions nouveau modeset=0\n")
    shutil.copy2(f"{PROGRAMS}/nvidia-smi", "/usr/bin/nvidia-smi")
    built = "Tue Jun  5 02:02:12 PDT 2018"
    build_driver(data, {"version": version, "library": version, "flavour": flavour, "kernels": [], "built": built}, say)


def build_driver(data, driver, say):
    """dkms: build the module for the running kernel, if that can be done, and note what was installed."""
    release, version = kernel.release(), driver["version"]
    log = f"/var/lib/dkms/nvidia/{version}/build/make.log"
    if not os.path.isdir(f"/usr/src/kernels/{release}"):
        say(
            f"Error! Your kernel headers for kernel {release} cannot be found.\n"
            f"Please install the linux-headers-{release} package "
            "or use the --kernelsourcedir option to tell DKMS where it's located"
        )
    elif "gcc" not in data["installed"]:
        say(
            f"Error! Bad return status for module build on kernel: {release} (x86_64)\n"
            f"Consult {log} for more information."
        )
        os.makedirs(os.path.dirname(log), exist_ok=True)
        with open(log, "w") as stream:
            stream.write("/bin/sh: gcc: command not found\n")
    else:
        driver["kernels"].append(release)
        _install_module(release, driver)
        say(f"nvidia.ko:\n - Installation\n   - Installing to /lib/modules/{release}/extra/")
    os.makedirs("/var/lib/nvidia", exist_ok=True)
    with open("/var/lib/nvidia/driver.json", "w") as stream:
        json.dump(driver, stream)


def _install_module(release, driver):
    own = "Dual MIT/GPL" if driver["flavour"] == "open" else "NVIDIA"
    folder = f"/usr/lib/modules/{release}/extra"
    aliases = [("alias", f"pci:v000010DEd*sv*sd*bc03sc{sub}i00*") for sub in ("02", "00")]
    for name in kernel.NVIDIA_STACK:
        depends = ",".join(used for used in kernel.USES.get(name, ()) if used.startswith("nvidia"))
        fields = [("version", driver["version"]), ("license", own), ("depends", depends)]
        fields += aliases if name == "nvidia" else []
        kernel_object.write(f"{folder}/{name.replace('_', '-')}.ko", release, fields)
    subprocess.run(["/usr/sbin/depmod", release], stderr=subprocess.DEVNULL, check=False)


def _folder(name):
    return "/usr/local/cuda-" + ".".join(name.split("-")[2:4])


def _toolkit(name, version):
    folder = _folder(name)
    os.makedirs(f"{folder}/bin", exist_ok=True)
    with open(f"{folder}/version.txt", "w") as stream:
        stream.write(f"CUDA Version {version.rsplit('-', 1)[0]}\n")
    with open(f"{folder}/bin/nvcc", "w") as stream:
        stream.write(
            f"#!/bin/bash\necho 'Cuda compilation tools, release {folder[16:]}, V{version.rsplit('-', 1)[0]}'\n"
        )
    os.chmod(f"{folder}/bin/nvcc", 0o755)
    if os.path.islink("/usr/local/cuda"):
        os.unlink("/usr/local/cuda")
    os.symlink(folder, "/usr/local/cuda")


def _samples(name):
    folder, version = _folder(name), ".".join(name.split("-")[2:4])
    for sample in SAMPLES:
        os.makedirs(f"{folder}/samples/1_Utilities/{sample}", exist_ok=True)
        source = f"{sample}.cpp" if sample == "deviceQuery" else f"{sample}.cu"  # as the real samples are called
        texts = {source: f"// {sample}\n", "Makefile": f"CUDA_PATH ?= {folder}\nall: {sample}\n"}
        for file, text in texts.items():
            with open(f"{folder}/samples/1_Utilities/{sample}/{file}", "w") as stream:
                stream.write(text)
    with open(f"{folder}/samples/Makefile", "w") as stream:
        stream.write(f"CUDA_PATH ?= {folder}\nall:\n")
    script = f"{folder}/bin/cuda-install-samples-{version}.sh"
    os.makedirs(f"{folder}/bin", exist_ok=True)
    with open(script, "w") as stream:
        stream.write(
            '#!/bin/bash\n[ -n "$1" ] || { echo "Usage: $0 TARGET_DIR" >&2; exit 1; }\n'
            f'target="$1/NVIDIA_CUDA-{version}_Samples"\n'
            f'echo "Copying samples to $target now..."\nmkdir -p "$target"\ncp -R {folder}/samples/. "$target"\n'
            'echo "Finished copying samples."\n'
        )
    os.chmod(script, 0o755)
