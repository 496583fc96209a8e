#!/bin/bash
set -e
echo 'add_drivers+=" vfio vfio_iommu_type1 vfio-pci "' > /etc/dracut.conf.d/vfio.conf
