#!/bin/bash
set -e
time exec openstack stack list
