#!/bin/bash
set -e
openstack keypair create stack > stack.pem
chmod 600 stack.pem
