#!/bin/bash
set -e
dnf install -y nvidia-open-570
