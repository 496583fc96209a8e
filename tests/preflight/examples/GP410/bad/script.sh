#!/bin/bash
set -e
echo 'add_drivers+=" vfio vfio_iommu_type1 vfio-pci vfio_virqfd "' > /etc/dracut.conf.d/vfio.conf
