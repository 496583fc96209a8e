#!/bin/bash
set -e
dnf module install -y nvidia-driver:570-dkms
