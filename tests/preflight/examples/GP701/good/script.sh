#!/bin/bash
set -e
virt-customize -a i.qcow2 --run-command 'yum install -y kernel-devel-$(rpm -q --qf %{VERSION}-%{RELEASE}.%{ARCH} kernel)'
