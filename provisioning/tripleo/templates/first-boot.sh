#!/bin/bash
# Turns the IOMMU on at every host that has an NVIDIA GPU, whatever its name, role or firmware.
exec >>/var/log/gpu-first-boot.log 2>&1
extra=''

has_gpu=
for device in /sys/bus/pci/devices/*; do
    if [ "$(cat "$device/vendor")" = 0x10de ]; then
        case "$(cat "$device/class")" in 0x0300* | 0x0302*) has_gpu=1 ;; esac
    fi
done
if [ -z "$has_gpu" ]; then
    echo "no NVIDIA GPU here, nothing to do"
    exit 0
fi

case "$(grep -m 1 vendor_id /proc/cpuinfo)" in
    *AuthenticAMD*) arguments="amd_iommu=on iommu=pt" ;;
    *) arguments="intel_iommu=on iommu=pt" ;;
esac
arguments="$arguments${extra:+ $extra}"
if grep -q "^GRUB_CMDLINE_LINUX=.*$arguments" /etc/default/grub; then
    echo "$arguments is there already"
    exit 0
fi

escaped=$(printf '%s' "$arguments" | sed 's/[&/\\]/\\&/g')
sed -i.before-gpu "s/^GRUB_CMDLINE_LINUX=\"\(.*\)\"/GRUB_CMDLINE_LINUX=\"\1 $escaped\"/" /etc/default/grub
if ! grep -q "^GRUB_CMDLINE_LINUX=.*$arguments" /etc/default/grub; then
    echo "error: /etc/default/grub has no line GRUB_CMDLINE_LINUX=\"…\" to add $arguments to"
    exit 1
fi

if [ -d /sys/firmware/efi ]; then
    target=$(readlink -f /etc/grub2-efi.cfg)
else
    target=$(readlink -f /etc/grub2.cfg)
fi
if grep -q '^GRUB_ENABLE_BLSCFG=true' /etc/default/grub; then
    grubby --update-kernel=ALL --args="$arguments"
fi
grub2-mkconfig -o "$target" || exit 1
echo "added $arguments, rebooting"
systemctl stop os-collect-config.service
/sbin/reboot
