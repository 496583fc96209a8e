#!/bin/bash
set -e
umask 077
openstack keypair create stack > stack.pem
