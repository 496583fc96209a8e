#!/bin/bash
set -e
echo 'add_drivers+=" vfio-pci "' > /etc/dracut.conf.d/vfio.conf
